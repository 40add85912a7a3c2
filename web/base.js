// What all pages share: language, theme, the head of the page, search, login, the stream of events.
import { languages, strings } from "/strings.js";

export const $ = (id) => document.getElementById(id);

function stored(key, value) {
	try {
		if (value === undefined) return localStorage.getItem(key);
		localStorage.setItem(key, value);
	} catch { /* a browser that keeps nothing is fine */ }
	return null;
}

let language = stored("berth-language");
if (!Object.hasOwn(languages, language ?? "")) language = document.documentElement.lang;
if (!Object.hasOwn(languages, language)) language = "en";

export const lang = () => language;

/** The words of a key in the viewer's language; {0} and so on are filled in. */
export function t(key, ...values) {
	const row = strings[key];
	const text = row ? row[Object.keys(languages).indexOf(language)] : key;
	return text.replace(/\{(\d)\}/g, (_, i) => values[i]);
}

/** An element: el("p", {class: "dim"}, "text", child, ...). Text never becomes markup. */
export function el(name, attributes = {}, ...children) {
	const node = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
	}
	node.append(...children.filter((child) => child !== null && child !== undefined));
	return node;
}

export const number = (n, digits = 0) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(n);
export const clock = (at) => new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "medium" }).format(at * 1000);

export function span(us) {
	if (us < 1000) return `${number(us)} µs`;
	if (us < 1e6) return `${number(us / 1000, us < 10000 ? 2 : 1)} ms`;
	if (us < 120e6) return `${number(us / 1e6, 1)} s`;
	const minutes = Math.floor(us / 60e6);
	return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const redraws = [];
/** Called now, and again when the language changes. */
export function onWords(draw) {
	redraws.push(draw);
	draw();
}

function setWords() {
	document.documentElement.lang = language;
	for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
	for (const node of document.querySelectorAll("[data-ta]")) node.setAttribute("aria-label", t(node.dataset.ta));
}

// --- theme ---

const dark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = [];
export const onTheme = (call) => themeListeners.push(call);
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

function setTheme(theme) {
	if (theme) document.documentElement.dataset.theme = theme;
	themeListeners.forEach((call) => call());
}
setTheme(stored("berth-theme") === "dark" || stored("berth-theme") === "light" ? stored("berth-theme") : null);
dark.addEventListener("change", () => setTheme(null));

// --- the API ---

export async function get(path) {
	const reply = await fetch(path, { headers: { Accept: "application/json" } });
	const value = await reply.json();
	if (!reply.ok) throw Object.assign(new Error(value.error), { status: reply.status });
	return value;
}

export async function post(path, value) {
	const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
	const body = await reply.json();
	if (!reply.ok) throw new Error(body.error);
	return body;
}

/** Whether the viewer may see the machine; if not, the page says what to do. */
export async function mayLook() {
	const me = await get("/api/v1/me");
	if (me.viewer !== "stranger") return me;
	const says = el("span", { "aria-live": "polite" });
	const word = el("input", { type: "password", autocomplete: "current-password", "aria-label": t("password"), placeholder: t("password") });
	const form = el("form", {}, word, " ", el("button", {}, t("login")), " ", says);
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		post("/api/v1/login", { password: word.value }).then(() => location.reload(), (error) => { says.textContent = error.message; });
	});
	document.body.dataset.viewer = "stranger"; // what would be empty is not shown
	$("notice").replaceChildren(el("div", { class: "card" }, el("p", {}, t(me.other_user ? "login_other" : "login_lead")), me.login ? form : el("p", {}, t("login_none"))));
	return null;
}

/** Events as they come: {name: call(value)}. Gives a function that ends the stream. */
export function listen(calls) {
	const stream = new EventSource("/api/v1/events");
	for (const [name, call] of Object.entries(calls)) stream.addEventListener(name, (event) => call(JSON.parse(event.data)));
	stream.onerror = () => $("notice").replaceChildren(el("p", { class: "dim", role: "status" }, t("lost")));
	stream.addEventListener("hello", () => $("notice").replaceChildren());
	return () => stream.close();
}

// --- the head of the page ---

async function search(event, box, hits) {
	event.preventDefault();
	const q = box.value.trim();
	if (q === "") return;
	if (/^\d{1,5}$/.test(q) && Number(q) <= 65535) {
		location.href = `/port/${Number(q)}`;
		return;
	}
	const found = await get(`/api/v1/service?q=${encodeURIComponent(q)}`).catch(() => ({ services: [], known_uses: [], near: null }));
	const links = new Map();
	for (const s of found.services) if (s.port) links.set(s.port, s.name);
	for (const use of found.known_uses) links.set(Number(use.ports.split("-")[0]), use.who);
	if (links.size === 1) {
		location.href = `/port/${[...links.keys()][0]}`;
		return;
	}
	hits.replaceChildren(...[...links].slice(0, 8).map(([port, name]) => el("a", { href: `/port/${port}` }, `${port} ${name}`)));
	if (links.size === 0) hits.replaceChildren(el("p", { role: "status" }, found.near ? t("nothing", found.near) : t("none_found")));
	hits.hidden = false;
}

function head() {
	const page = document.body.dataset.page;
	const link = (path, key, name) => el("a", { href: path, "aria-current": page === name ? "page" : null }, t(key));
	const box = el("input", { id: "search", type: "search", "aria-label": t("search"), placeholder: t("search"), autocomplete: "off", maxlength: 64 });
	const hits = el("div", { id: "hits", hidden: "" });
	const form = el("form", { role: "search", onsubmit: (event) => search(event, box, hits) }, box, hits);
	form.addEventListener("keydown", (event) => { if (event.key === "Escape") hits.hidden = true; });
	const pick = el("select", { id: "language", "aria-label": t("language") },
		...Object.entries(languages).map(([code, name]) => el("option", { value: code, lang: code, selected: code === language ? "" : null }, name)));
	pick.addEventListener("change", () => {
		language = pick.value;
		stored("berth-language", language);
		redraws.forEach((draw) => draw());
		$("language").focus();
	});
	const theme = el("button", { id: "theme", "aria-label": t("theme"), title: t("theme") }, isDark() ? "☾" : "☀");
	theme.addEventListener("click", () => {
		const next = isDark() ? "light" : "dark";
		stored("berth-theme", next);
		setTheme(next);
		theme.textContent = next === "dark" ? "☾" : "☀";
	});
	$("top").replaceChildren(el("a", { class: "brand", href: "/" }, el("img", { src: "/icon.svg", alt: "" }), "Berth"),
		el("nav", {}, link("/", "nav_map", "map"), link("/dashboard", "nav_dash", "dashboard")), form, el("div", { class: "picks" }, pick, theme));
}

onWords(() => { setWords(); head(); });
