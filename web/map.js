// The live map: 256 by 256 ports, a row of the map being 256 numbers.
import { $, clock, el, get, lang, listen, mayLook, number, onTheme, onWords, span, t } from "/base.js";

const SIDE = 256, PORTS = SIDE * SIDE, FADE_MS = 9000, USABLE = 0x10;
const WORDS = ["free", "listening", "client", "held", "ended", "pool"];
const canvas = $("map"), paper = canvas.getContext("2d"), tip = $("tip");
const small = new OffscreenCanvas(SIDE, SIDE), smallPaper = small.getContext("2d");
const image = smallPaper.createImageData(SIDE, SIDE);
const code = new Uint8Array(PORTS), lentAt = new Float64Array(PORTS), loans = [];
const view = { x: 0, y: 0, zoom: 1 };
let palette, focus = Number(location.hash.slice(1)) || 53, paused = false, glowing = new Set(), stop = null, drag = null;
if (focus >= PORTS) focus = 53;

// --- colours ---

function readPalette() {
	const style = getComputedStyle(document.documentElement);
	const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const rgb = (name) => {
		probe.fillStyle = style.getPropertyValue(`--${name}`).trim();
		probe.fillRect(0, 0, 1, 1);
		return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
	};
	palette = { free: ["free-sys", "free-usr", "free-dyn"].map(rgb), lent: rgb("lent"), usable: rgb("usable"), focus: style.getPropertyValue("--focus"),
		codes: [null, ...WORDS.slice(1).map(rgb)] };
}

const classOf = (port) => (port < 1024 ? 0 : port < 49152 ? 1 : 2);

function colourOf(port, now) {
	const kind = code[port] & 15;
	let base = palette.codes[kind] ?? (code[port] & USABLE ? palette.usable : palette.free[classOf(port)]);
	const age = now - lentAt[port];
	if (age < FADE_MS) {
		const glow = (1 - age / FADE_MS) ** 1.6;
		base = base.map((c, i) => c + (palette.lent[i] - c) * glow);
	}
	return base;
}

function paint(port, now) {
	const [r, g, b] = colourOf(port, now);
	image.data.set([r, g, b, 255], port * 4);
}

function paintAll() {
	const now = performance.now();
	for (let port = 0; port < PORTS; port++) paint(port, now);
}

// --- drawing ---

function fit() {
	const ratio = devicePixelRatio || 1, side = Math.max(1, Math.round(canvas.clientWidth * ratio));
	if (canvas.width !== side) canvas.width = canvas.height = side;
}

function draw() {
	fit();
	smallPaper.putImageData(image, 0, 0);
	const cell = (canvas.width / SIDE) * view.zoom;
	paper.imageSmoothingEnabled = false;
	paper.clearRect(0, 0, canvas.width, canvas.height);
	paper.drawImage(small, view.x, view.y, SIDE / view.zoom, SIDE / view.zoom, 0, 0, canvas.width, canvas.height);
	const glowSize = Math.max(cell, 2.5 * (devicePixelRatio || 1)), now = performance.now();
	for (const port of glowing) { // a single pixel is too small a light
		const age = (now - lentAt[port]) / FADE_MS;
		const x = ((port % SIDE) - view.x + 0.5) * cell, y = (Math.floor(port / SIDE) - view.y + 0.5) * cell;
		const size = glowSize * (1 + 1.6 * Math.max(0, 1 - age * 5));
		paper.fillStyle = `rgb(${palette.lent.join(" ")} / ${Math.max(0, 1 - age) ** 1.6})`;
		paper.fillRect(x - size / 2, y - size / 2, size, size);
	}
	if (document.activeElement === canvas || location.hash) {
		paper.strokeStyle = palette.focus;
		paper.lineWidth = 2 * (devicePixelRatio || 1);
		const room = Math.max(cell, 9 * (devicePixelRatio || 1));
		paper.strokeRect(((focus % SIDE) - view.x + 0.5) * cell - room / 2, (Math.floor(focus / SIDE) - view.y + 0.5) * cell - room / 2, room, room);
	}
}

let drawing = false;
function drawSoon() {
	if (drawing) return;
	drawing = true;
	requestAnimationFrame(() => { drawing = false; draw(); });
}

// Lights fade in steps: ten times a second is smooth enough, and leaves the viewer's processor in peace.
setInterval(() => {
	if (glowing.size === 0 || paused || document.hidden) return;
	const now = performance.now();
	for (const port of glowing) {
		paint(port, now);
		if (now - lentAt[port] >= FADE_MS) glowing.delete(port);
	}
	drawSoon();
}, 100);

// --- moving about ---

function keepInside() {
	view.zoom = Math.min(32, Math.max(1, view.zoom));
	const most = SIDE - SIDE / view.zoom;
	view.x = Math.min(most, Math.max(0, view.x));
	view.y = Math.min(most, Math.max(0, view.y));
	const first = Math.floor(view.y) * SIDE, last = Math.min(PORTS - 1, Math.ceil(view.y + SIDE / view.zoom) * SIDE - 1);
	$("where").textContent = `${first}–${last}`;
	drawSoon();
}

function zoomAt(factor, px = 0.5, py = 0.5) {
	const before = SIDE / view.zoom;
	view.zoom = Math.min(32, Math.max(1, view.zoom * factor));
	const after = SIDE / view.zoom;
	view.x += (before - after) * px;
	view.y += (before - after) * py;
	keepInside();
}

function portAt(event) {
	const box = canvas.getBoundingClientRect(), px = (event.clientX - box.left) / box.width, py = (event.clientY - box.top) / box.height;
	const x = Math.floor(view.x + (px * SIDE) / view.zoom), y = Math.floor(view.y + (py * SIDE) / view.zoom);
	return x < 0 || y < 0 || x >= SIDE || y >= SIDE ? -1 : y * SIDE + x;
}

function wordsOf(port) {
	const kind = code[port] & 15, state = kind === 0 && code[port] & USABLE ? "usable" : WORDS[kind];
	const lent = performance.now() - lentAt[port] < FADE_MS ? `, ${t("lent")}` : "";
	return `${t(["class_System", "class_User", "class_Dynamic"][classOf(port)])} · ${t(state)}${lent}`;
}

function showTip(event) {
	const port = portAt(event), box = canvas.getBoundingClientRect();
	tip.hidden = port < 0;
	if (port < 0) return;
	tip.replaceChildren(el("b", {}, String(port)), el("div", { class: "dim" }, wordsOf(port)));
	const x = event.clientX - box.left, y = event.clientY - box.top;
	tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - tip.offsetWidth - 6))}px`;
	tip.style.top = `${Math.max(4, Math.min(y + 14, box.height - tip.offsetHeight - 6))}px`;
}

function moveFocus(by) {
	focus = Math.min(PORTS - 1, Math.max(0, focus + by));
	const room = SIDE / view.zoom, x = focus % SIDE, y = Math.floor(focus / SIDE);
	if (x < view.x || x >= view.x + room) view.x = x - room / 2;
	if (y < view.y || y >= view.y + room) view.y = y - room / 2;
	$("live").textContent = `${t("port", focus)}: ${wordsOf(focus)}`;
	keepInside();
}

canvas.addEventListener("wheel", (event) => {
	event.preventDefault();
	const box = canvas.getBoundingClientRect();
	zoomAt(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, vx: view.x, vy: view.y, moved: false }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
	if (drag && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 5) drag.moved = true;
	if (drag?.moved) {
		const scale = SIDE / view.zoom / canvas.clientWidth;
		view.x = drag.vx - (event.clientX - drag.x) * scale;
		view.y = drag.vy - (event.clientY - drag.y) * scale;
		keepInside();
	}
	showTip(event);
});
canvas.addEventListener("pointerup", (event) => {
	const port = portAt(event);
	if (drag && !drag.moved && port >= 0) location.href = `/port/${port}`;
	drag = null;
});
canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
canvas.addEventListener("focus", () => moveFocus(0));
canvas.addEventListener("blur", drawSoon);
canvas.addEventListener("keydown", (event) => {
	const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE, PageUp: -16 * SIDE, PageDown: 16 * SIDE, Home: -PORTS, End: PORTS };
	if (event.key in steps) moveFocus(steps[event.key]);
	else if (event.key === "Enter") location.href = `/port/${focus}`;
	else if (event.key === "+" || event.key === "=") zoomAt(1.6);
	else if (event.key === "-") zoomAt(0.625);
	else return;
	event.preventDefault();
});
$("zoom-in").addEventListener("click", () => zoomAt(1.6));
$("zoom-out").addEventListener("click", () => zoomAt(0.625));
$("reset").addEventListener("click", () => { view.zoom = 1; keepInside(); });
new ResizeObserver(drawSoon).observe(canvas);
onTheme(() => { readPalette(); paintAll(); drawSoon(); });

// --- what happens ---

function legend() {
	const count = Object.fromEntries([...WORDS, "usable"].map((word) => [word, 0]));
	for (const one of code) count[(one & 15) === 0 && one & USABLE ? "usable" : WORDS[one & 15]]++;
	const rows = ["listening", "client", "held", "ended", "pool", "usable", "free", "lent"];
	$("legend").replaceChildren(...rows.map((word) => {
		const dot = el("i");
		dot.style.background = `var(--${word === "free" ? "free-usr" : word})`;
		return el("li", {}, dot, t(word), word === "lent" ? null : el("b", {}, number(count[word])));
	}));
}

function glow(port) {
	lentAt[port] = performance.now();
	glowing.add(port);
}

function onLoans(event) {
	if (paused) return;
	const bytes = Uint8Array.from(atob(event.packed), (c) => c.charCodeAt(0));
	for (let i = 0; i + 2 < bytes.length; i += 3) glow((bytes[i] << 8) | bytes[i + 1]);
	loans.unshift(...event.last.reverse());
	loans.length = Math.min(loans.length, 8);
	ticker();
	drawSoon();
}

function ticker() {
	$("quiet").hidden = loans.length > 0;
	$("ticker").replaceChildren(...loans.map((loan) => el("li", { title: clock(loan.at) }, el("a", { href: `/port/${loan.port}` }, String(loan.port)),
		` ${loan.question} → ${loan.server} · ${loan.outcome}, ${span(loan.took_us)}`)));
}

function onMap(event) {
	for (const [first, last, value] of event.changes) code.fill(value, first, last + 1);
	paintAll();
	legend();
	drawSoon();
}

async function load() {
	const state = await get("/api/v1/ports");
	code.set(Uint8Array.from(atob(state.ports), (c) => c.charCodeAt(0)));
	paintAll();
	legend();
	drawSoon();
	canvas.dataset.ready = "yes";
	$("legend").classList.add("counted");
}

$("pause").addEventListener("click", () => {
	paused = !paused;
	$("pause").setAttribute("aria-pressed", String(paused));
	$("pause").dataset.t = paused ? "resume" : "pause";
	$("pause").textContent = t($("pause").dataset.t);
	if (!paused) load();
});

readPalette();
lentAt.fill(-FADE_MS);
paintAll();
onWords(() => { document.title = `Berth — ${t("map_title")}`; legend(); ticker(); });
keepInside();
if (await mayLook()) {
	// Each stream begins with hello, also the one after a break: what changed meanwhile nobody told.
	const anew = () => { if (!paused) load(); };
	stop = listen({ loans: onLoans, map: (event) => { if (!paused) onMap(event); }, anew, hello: anew });
}
export { lang, stop };
