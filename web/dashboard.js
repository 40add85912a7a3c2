// The resolver's numbers, once a second.
import { $, el, listen, mayLook, number, onWords, span, t } from "/base.js";

const SECONDS = 120, past = [];
const NS = "http://www.w3.org/2000/svg";
const ERRORS = { 0: "Other", 3: "Stale Answer", 6: "DNSSEC Bogus", 13: "Cached Error", 18: "Prohibited", 20: "Not Authoritative", 21: "Not Supported", 22: "No Reachable Authority", 23: "Network Error", 24: "Invalid Data" };

const counter = (s, key) => s.counters[key] ?? 0;
const queries = (s) => counter(s, "queries.udp") + counter(s, "queries.tcp");
const limit = (bucket) => 64 * 2 ** bucket;

/** The median of what was added between two states, between the bounds of its bucket. */
function median(from, to, key) {
	const added = to.timings[key].buckets.map((n, i) => n - (from?.timings[key].buckets[i] ?? 0));
	const all = added.reduce((a, b) => a + b, 0);
	for (let i = 0, below = 0; i < added.length; below += added[i++])
		if (all > 0 && below + added[i] >= all / 2) return (i > 0 ? limit(i - 1) : 0) + ((all / 2 - below) / added[i]) * (i > 0 ? limit(i - 1) : 64);
	return null;
}

function rate(i, read) {
	const from = past[i - 1], to = past[i];
	return Math.max(0, (read(to) - read(from)) / Math.max(0.2, to.uptime_s - from.uptime_s));
}

const tiles = [
	["t_questions", (i) => rate(i, queries), (v) => [number(v, v < 10 ? 1 : 0), t("per_s")]],
	["t_hits", (i) => { const all = rate(i, queries); return all > 0 ? Math.min(100, (100 * rate(i, (s) => counter(s, "answers.cached") + counter(s, "answers.known"))) / all) : null; }, (v) => [number(v, 1), "%"]],
	["t_answer", (i) => median(past[i - 1], past[i], "answers.time"), (v) => [span(v), ""]],
	["t_rtt", (i) => median(past[i - 1], past[i], "upstream.rtt"), (v) => [span(v), ""]],
	["t_loans", (i) => rate(i, (s) => counter(s, "loans")), (v) => [number(v, v < 10 ? 1 : 0), t("per_s")]],
	["t_mismatch", (i) => counter(past[i], "upstream.mismatched"), (v) => [number(v), t("total")]],
	["t_cache", (i) => past[i].cache.bytes / 1048576, (v) => [number(v, 1), `/ ${number(past.at(-1).cache.limit / 1048576)} MiB`]],
	["t_usable", (i) => past[i].pool.usable, (v) => [number(v), ""]],
];

function chart(values) {
	const svg = document.createElementNS(NS, "svg"), most = Math.max(1e-9, ...values.map((v) => v ?? 0));
	svg.setAttribute("viewBox", `0 0 ${SECONDS} 40`);
	svg.setAttribute("preserveAspectRatio", "none");
	svg.setAttribute("aria-hidden", "true");
	const points = values.map((v, i) => `${SECONDS - values.length + i + 1} ${(38 - (34 * (v ?? 0)) / most).toFixed(1)}`);
	if (points.length > 0) {
		for (const [kind, d] of [["area", `M${SECONDS - values.length + 1} 40L${points.join("L")}L${SECONDS} 40Z`], ["line", `M${points.join("L")}`]]) {
			const path = document.createElementNS(NS, "path");
			path.setAttribute("class", kind);
			path.setAttribute("d", d);
			svg.append(path);
		}
	}
	return svg;
}

function drawTiles() {
	$("tiles").replaceChildren(...tiles.map(([key, read, words]) => {
		const values = past.slice(1).map((_, i) => read(i + 1)), last = values.findLast((v) => v !== null);
		const [big, small] = last === undefined ? ["–", ""] : words(last);
		return el("section", { class: "card tile" }, el("h2", {}, t(key)), el("p", { class: "value" }, big, el("small", {}, small)), chart(values));
	}));
}

function drawBars(id, key) {
	const buckets = past.at(-1).timings[key].buckets, most = Math.max(1, ...buckets);
	$(id).replaceChildren(...buckets.map((n, i) => {
		const bar = el("i");
		bar.style.height = `${(100 * n) / most}%`;
		const name = i + 1 < buckets.length ? `< ${span(limit(i))}` : `≥ ${span(limit(i - 1))}`;
		return el("div", { title: `${name}: ${number(n)}` }, bar, el("span", {}, i % 3 === 0 ? span(limit(i)).replace(/[.,]\d+/, "") : ""));
	}));
}

function meter(label, value, most, words) {
	const bar = el("i");
	bar.style.width = `${Math.min(100, (100 * value) / most)}%`;
	return el("div", { class: "row" }, el("span", {}, label), el("b", {}, words), el("div", { class: "meter" }, bar));
}

function drawGuess() {
	const s = past.at(-1), asked = counter(s, "upstream.udp"), letters = asked > 0 ? counter(s, "upstream.letters") / asked : 0;
	const rows = [["g_port", s.pool.bits], ["g_id", 16], ["g_case", letters]], all = rows.reduce((sum, [, bits]) => sum + bits, 0);
	$("guess").replaceChildren(...rows.map(([key, bits]) => meter(t(key), bits, all, t("bits", number(bits, 1)))), meter("=", all, all, t("bits", number(all, 1))));
}

function drawErrors() {
	const rows = Object.entries(past.at(-1).ede).sort((a, b) => b[1] - a[1]), most = rows[0]?.[1] ?? 1;
	$("errors").replaceChildren(...(rows.length > 0 ? rows.slice(0, 8).map(([code, n]) => meter(`${code} ${ERRORS[code] ?? ""}`, n, most, number(n))) : [el("p", { class: "dim" }, t("no_errors"))]));
}

function draw() {
	document.title = `Berth — ${t("dash_title")}`;
	if (past.length === 0) return;
	const s = past.at(-1);
	$("state").textContent = t("state", s.version, s.workers, span(s.uptime_s * 1e6));
	drawTiles();
	drawBars("h-answers", "answers.time");
	drawBars("h-rtt", "upstream.rtt");
	drawGuess();
	drawErrors();
	document.body.dataset.ready = "yes";
}

onWords(draw);
if (await mayLook()) {
	listen({ stats: (s) => {
		if (past.length > 0 && s.uptime_s < past.at(-1).uptime_s) past.length = 0;
		past.push(s);
		if (past.length > SECONDS) past.shift();
		draw();
	} });
}
