// All about one port.
import { $, clock, el, get, mayLook, number, onWords, post, span, t } from "/base.js";

const port = Number(location.pathname.split("/")[2]);
let facts = null, past = null, system = navigator.platform.startsWith("Mac") ? "macOS" : navigator.platform.startsWith("Win") ? "Windows" : "Linux";

const USES_SHOWN = 4; // the nearest first
const row = (label, ...value) => [el("dt", {}, label), el("dd", {}, ...value)];

function services() {
	if (facts.services.length === 0) return [t("no_service")];
	return facts.services.flatMap((s, i) => [i > 0 ? el("br") : null, el("b", {}, s.name), ` ${s.transports.join(", ").toUpperCase()}`, s.rfc ? ` (RFC ${s.rfc})` : null]);
}

function uses() {
	const near = facts.known_uses.map((use) => el("div", { lang: "en" }, el("b", {}, use.who), ` · ${use.ports} ${use.transports.join(", ").toUpperCase()} · ${use.why} `,
		el("small", { class: "dim" }, t("source", use.source))));
	const rest = near.splice(USES_SHOWN);
	if (rest.length > 0) near.push(el("details", {}, el("summary", {}, t("more_uses", rest.length)), ...rest));
	return near.length === 0 ? [] : row(t("known"), ...near);
}

function drawWhat() {
	const pool = facts.pool ? row(t("berthd"), facts.pool.usable ? t("lends") : t("lends_not"), facts.pool.why_not ? el("span", { lang: "en" }, `: ${facts.pool.why_not}`) : null) : [];
	$("what").replaceChildren(...row(t("class_"), el("b", {}, t(`class_${facts.class}`)), ` ${facts.class_range}`, el("br"), el("span", { class: "dim", lang: "en" }, facts.class_help)),
		...row(t("services"), ...services()), ...uses(), ...pool);
}

function holder(h) {
	const who = h.processes.length === 0 ? [el("span", { class: "dim" }, t("unknown_process", port))]
		: h.processes.slice(0, 4).map((p) => el("div", {}, el("b", {}, p.name), ` pid ${p.pid}`, p.unit ? ` · ${p.unit}` : "", p.command ? el("div", { class: "mono dim" }, p.command) : null));
	return el("div", { class: "holder" }, el("div", { lang: "en" }, `${h.transport.toUpperCase()} ${h.local} · ${h.state}`),
		el("dl", {}, ...row(t("process"), ...who), ...row(t("user"), h.user), ...(h.peer ? row(t("peer"), h.peer) : [])));
}

function drawWho() {
	$("who-card").hidden = $("loans-card").hidden = !facts.holders;
	if (!facts.holders) return;
	$("who").replaceChildren(...(facts.holders.length > 0 ? facts.holders.slice(0, 12).map(holder) : [el("p", { class: "dim" }, t("nobody"))]));
}

function loanTable(loans) {
	const heads = ["when", "question", "server", "took", "outcome"].map((key) => el("th", {}, t(key)));
	return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...loans.map((loan) => el("tr", {},
		el("td", { class: "n" }, clock(loan.at)), el("td", { class: "mono" }, loan.question), el("td", { class: "mono" }, loan.server),
		el("td", { class: "n" }, loan.took_us === undefined ? "" : span(loan.took_us)), el("td", { lang: "en" }, loan.outcome))))));
}

function drawDid() {
	if (!facts.loans) return;
	const seen = new Set(facts.loans.map((loan) => loan.at.toFixed(3)));
	const all = [...facts.loans, ...(past?.loans ?? []).filter((loan) => !seen.has(loan.at.toFixed(3)))];
	const held = (past?.holdings ?? []).map((h) => el("p", { class: "mono" }, `${clock(h.from)} – ${h.until === null ? "" : clock(h.until)} · ${h.who || `uid ${h.uid}`} · ${h.transport} ${h.state}${h.peer ? ` · ${h.peer}` : ""}`));
	$("did").replaceChildren(...held, all.length > 0 ? loanTable(all) : el("p", { class: "dim" }, t("no_did")));
}

// Browsers give the clipboard to https and localhost alone, and may refuse it even then: the command can be selected.
async function copy(text, button) {
	try {
		await navigator.clipboard.writeText(text);
		button.textContent = t("copied");
	} catch {
		getSelection().selectAllChildren(button.previousElementSibling);
	}
}

function drawHand() {
	const tabs = el("div", { class: "tabs", role: "group" }, ...["Linux", "macOS", "Windows"].map((name) =>
		el("button", { "aria-pressed": String(name === system), onclick: () => { system = name; drawHand(); } }, name)));
	const rows = facts.by_hand.filter((one) => one.system === system).map((one) => el("div", { class: "command" }, el("code", { tabindex: "0" }, one.command),
		el("button", { onclick: (event) => copy(one.command, event.target) }, t("copy")),
		el("p", {}, el("span", { lang: "en" }, one.says), one.needs_root ? ` (${t("needs_root")})` : "")));
	$("hand").replaceChildren(tabs, ...rows);
}

function drawAsked() {
	const all = [["q1", "a1"], ["q2", `a2_${facts.class}`], ["q3", "a3"]];
	$("faq").replaceChildren(...all.map(([q, a], i) => el("details", { open: i === 0 ? "" : null }, el("summary", {}, t(q, port)), el("p", {}, t(a)))));
}

// --- votes ---

let votes = null;
const mouths = { yes: "M12 23c2 4 14 4 16 0", partly: "M13 25h14", no: "M12 27c2-4 14-4 16 0" };

function face(kind) {
	const ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
	svg.setAttribute("viewBox", "0 0 40 40");
	svg.setAttribute("aria-hidden", "true");
	for (const d of ["M20 3a17 17 0 1 0 .01 0", "M14 15v1", "M26 15v1", mouths[kind]]) {
		const path = document.createElementNS(ns, "path");
		path.setAttribute("d", d);
		svg.append(path);
	}
	return svg;
}

function drawVotes() {
	$("useful").hidden = votes === null;
	if (votes === null) return;
	$("faces").replaceChildren(...["yes", "partly", "no"].map((kind) => el("button", { id: `vote-${kind}`, "aria-pressed": String(votes.mine === kind), onclick: () => vote(kind) },
		face(kind), el("span", {}, `${t(kind)} · ${number(votes.votes[kind])}`))));
	$("thanks").textContent = votes.mine ? t("thanks") : "";
}

async function vote(kind) {
	try {
		votes = await post("/api/v1/vote", { port, face: kind });
		drawVotes();
		$(`vote-${kind}`).focus();
	} catch (error) {
		$("thanks").textContent = error.message;
	}
}

// --- the whole ---

function draw() {
	document.title = `${t("port", port)} — Berth`;
	$("number").textContent = String(port);
	$("before").textContent = port > 0 ? `← ${port - 1}` : "";
	$("after").textContent = port < 65535 ? `${port + 1} →` : "";
	if (!facts) return;
	$("kicker").textContent = `${t("port", "").trim()} · ${t(`class_${facts.class}`)}${facts.services[0] ? ` · ${facts.services[0].name}` : ""}`;
	$("verdict").textContent = facts.verdict?.text ?? "";
	$("verdict").dataset.key = facts.verdict?.key ?? "";
	$("verdict").hidden = !facts.verdict;
	drawWhat();
	drawWho();
	drawDid();
	drawHand();
	drawAsked();
	drawVotes();
}

$("before").href = `/port/${Math.max(0, port - 1)}`;
$("after").href = `/port/${Math.min(65535, port + 1)}`;
$("on-map").href = `/#${port}`;
facts = await get(`/api/v1/port/${port}`);
votes = await get(`/api/v1/votes/${port}`).catch(() => null);
onWords(draw);
document.body.dataset.ready = "yes";
if (facts.holders && (await mayLook())) {
	past = await get(`/api/v1/history/${port}`).catch(() => null);
	drawDid();
} else {
	await mayLook();
}
