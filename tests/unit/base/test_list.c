#include "unit/unit.h"

#include "base/list.h"

struct member {
	int value;
	struct link link;
};

static void test_list(void **state)
{
	struct link head = LINK_INIT(head);
	struct member m[4];
	static const struct {
		int remove, left[4];
		size_t count;
	} steps[] = {{2, {0, 1, 3}, 3}, {2, {0, 1, 3}, 3}, {0, {1, 3}, 2}, {3, {1}, 1}, {1, {0}, 0}, {1, {0}, 0}};
	(void)state;
	assert_true(link_is_empty(&head));
	for (int i = 0; i < 4; i++) {
		m[i].value = i;
		link_append(&head, &m[i].link);
	}
	for (size_t s = 0; s < COUNT_OF(steps); s++) {
		size_t count = 0;
		link_remove(&m[steps[s].remove].link);
		for (struct link *l = head.next; l != &head; l = l->next)
			assert_int_equal(container_of(l, struct member, link)->value, steps[s].left[count++]);
		assert_int_equal(count, steps[s].count);
		for (struct link *l = head.prev; l != &head; l = l->prev)
			assert_int_equal(container_of(l, struct member, link)->value, steps[s].left[--count]);
	}
	assert_true(link_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_list)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
