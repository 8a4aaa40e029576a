// The widget's looks. One sheet in the shadow root: the page's rules do not reach in, and these do not reach out.

const STYLE = `
:host {
  all: initial !important; position: fixed !important; z-index: 2147483000 !important; inset: auto 0 0 auto !important;
  display: block !important; color-scheme: light !important;
  --ground: #ffffff; --sunken: #f4f5f7; --ink: #1b1f24; --faint: #5d6673; --line: #e3e6ea; --bubble: #eef0f3;
  --warn-ground: #fff4d6; --warn-ink: #5c4400; --error: #b3261e; --shadow: 0 12px 40px rgba(16, 24, 40, .18), 0 2px 8px rgba(16, 24, 40, .10);
  --accent-line: var(--accent-strong);
  font: 400 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important;
}
:host([data-side="left"]) { inset: auto auto 0 0 !important; }
:host([data-dark]) {
  color-scheme: dark !important;
  --ground: #191c20; --sunken: #121417; --ink: #eceff3; --faint: #a2acb8; --line: #31363d; --bubble: #2a2f36;
  --warn-ground: #4a3a10; --warn-ink: #ffe7a8; --error: #ff9a92; --shadow: 0 12px 40px rgba(0, 0, 0, .55), 0 2px 8px rgba(0, 0, 0, .4);
  --accent-line: var(--accent-bright);
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea, input { font: inherit; color: inherit; margin: 0; }
button { cursor: pointer; background: none; border: 0; padding: 0; }
a { color: inherit; }
p { margin: 0; }
.icon { width: 24px; height: 24px; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; display: block; flex: none; }
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 3px solid var(--accent-line); outline-offset: 2px; }

.launcher {
  position: fixed; right: calc(20px + env(safe-area-inset-right)); bottom: calc(20px + env(safe-area-inset-bottom));
  width: 60px; height: 60px; border-radius: 50%; display: grid; place-items: center;
  background: var(--accent); color: var(--on-accent); box-shadow: var(--shadow); transition: transform .16s ease, filter .16s ease;
}
:host([data-side="left"]) .launcher { right: auto; left: calc(20px + env(safe-area-inset-left)); }
.launcher:hover { transform: translateY(-2px); filter: brightness(1.06); }
.launcher .icon { width: 28px; height: 28px; }
.badge {
  position: absolute; top: -4px; right: -4px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px;
  background: #c4271c; color: #fff; font-size: 13px; font-weight: 600; line-height: 22px; text-align: center; box-shadow: 0 0 0 2px var(--ground);
}

.panel {
  position: fixed; right: calc(20px + env(safe-area-inset-right)); bottom: calc(92px + env(safe-area-inset-bottom));
  width: 384px; height: min(620px, calc(100vh - 116px)); max-width: calc(100vw - 40px);
  display: flex; flex-direction: column; overflow: hidden; border-radius: 20px; background: var(--ground); color: var(--ink);
  box-shadow: var(--shadow); border: 1px solid var(--line); animation: rise .2s cubic-bezier(.2, .8, .3, 1);
}
:host([data-side="left"]) .panel { right: auto; left: calc(20px + env(safe-area-inset-left)); }
@keyframes rise { from { opacity: 0; transform: translateY(12px) scale(.98); } }

.head { display: flex; align-items: center; gap: 12px; padding: 14px 12px 14px 18px; background: var(--accent); color: var(--on-accent); }
.head h2 { font-size: 17px; font-weight: 650; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
.head p { font-size: 13px; }
.head > div { flex: 1; min-width: 0; }
.head button { width: 44px; height: 44px; display: grid; place-items: center; border-radius: 12px; }
.head button:hover { background: color-mix(in srgb, currentColor 14%, transparent); }
.head :focus-visible { outline-color: currentColor; outline-offset: -3px; }

.banner { display: flex; align-items: center; gap: 8px; padding: 9px 18px; font-size: 13.5px; background: var(--warn-ground); color: var(--warn-ink); }
.banner .icon { width: 18px; height: 18px; }

.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px 16px 8px; display: flex; flex-direction: column; gap: 3px; scrollbar-width: thin; }
.log:focus-visible { outline-offset: -4px; }
.log > :first-child { margin-top: auto; }
.day { align-self: center; margin: 14px 0 8px; font-size: 12.5px; color: var(--faint); }
.message { display: flex; flex-direction: column; align-items: flex-start; max-width: 86%; align-self: flex-start; }
.message.mine { align-items: flex-end; align-self: flex-end; }
.message.start { margin-top: 9px; }
.author { font-size: 12.5px; color: var(--faint); margin: 0 0 3px 12px; }
.bubble { max-width: 100%; padding: 9px 13px; border-radius: 17px; background: var(--bubble); overflow: hidden; display: flex; flex-direction: column; gap: 8px; }
.message.end:not(.mine) .bubble { border-bottom-left-radius: 6px; }
.message.end.mine .bubble { border-bottom-right-radius: 6px; }
.mine .bubble { background: var(--accent); color: var(--on-accent); }
.message.failed .bubble { background: var(--ground); color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--error); }
.message.pending .bubble { opacity: .82; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.text a { text-decoration: underline; text-underline-offset: 2px; }
.faint { color: var(--faint); font-style: italic; }
.mine .faint { color: inherit; }
.meta { display: flex; align-items: center; gap: 5px; margin: 3px 6px 0 12px; font-size: 12px; color: var(--faint); }
.meta .icon { width: 15px; height: 15px; }
.meta .icon-alert { color: var(--error); }
.meta .why { color: var(--error); }
.meta button { text-decoration: underline; text-underline-offset: 2px; padding: 6px 3px; color: var(--ink); }
.quote { border-left: 3px solid currentColor; padding-left: 9px; font-size: 13px; max-height: 2.9em; overflow: hidden; overflow-wrap: anywhere; }

.media img, .media video { display: block; max-width: 100%; max-height: 260px; border-radius: 10px; }
.media .sticker { max-height: 140px; }
.media audio { display: block; width: 240px; max-width: 100%; }
.media .text { margin-top: 7px; }
.file { display: flex; align-items: center; gap: 10px; text-decoration: none; padding: 3px 0; }
.file-name { display: flex; flex-direction: column; overflow-wrap: anywhere; }
a.file .file-name > :first-child { text-decoration: underline; text-underline-offset: 2px; }
.file-size { font-size: 12.5px; opacity: .85; }
.progress { height: 4px; border-radius: 2px; background: color-mix(in srgb, currentColor 28%, transparent); overflow: hidden; min-width: 140px; }
.progress > i { display: block; height: 100%; background: currentColor; transition: width .2s; }

.choice { display: flex; flex-direction: column; gap: 9px; }
.options { display: flex; flex-wrap: wrap; gap: 7px; }
.options-list { flex-direction: column; }
.option {
  min-height: 44px; padding: 9px 15px; border-radius: 14px; border: 1.5px solid var(--accent-line); background: var(--ground); color: var(--accent-line);
  font-weight: 550; text-align: start; text-decoration: none; overflow-wrap: anywhere; display: flex; flex-direction: column; justify-content: center;
}
.option:hover { background: color-mix(in srgb, var(--accent-line) 9%, var(--ground)); }
.option[aria-pressed="true"] { border-style: dashed; }
.option:is(button) { flex-direction: row; align-items: center; justify-content: flex-start; gap: 7px; }
.option .icon { width: 17px; height: 17px; }
.option span { display: flex; flex-direction: column; }
.option-section { flex-basis: 100%; font-size: 12.5px; color: var(--faint); margin-top: 4px; }
.look-primary, .look-positive { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.look-primary:hover, .look-positive:hover { background: var(--accent); filter: brightness(1.06); }
.look-primary .option-note, .look-positive .option-note { color: inherit; }
.look-negative { border-color: var(--error); color: var(--error); }
.price { font-weight: 600; }
.options-quick_replies .option { border-radius: 22px; }
.option-note { font-weight: 400; font-size: 13px; color: var(--faint); }
.card { background: var(--ground); color: var(--ink); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; width: 236px; max-width: 100%; flex: none; }
.card img { display: block; width: 100%; height: 130px; object-fit: cover; }
.card-body { padding: 11px 13px; display: flex; flex-direction: column; gap: 7px; }
.carousel { display: flex; gap: 9px; overflow-x: auto; scroll-snap-type: x proximity; padding-bottom: 6px; max-width: 100%; scrollbar-width: thin; }
.carousel .card { scroll-snap-align: start; width: 210px; }
.message.bare { max-width: 100%; }
.bare .bubble { background: none; padding: 0; border-radius: 14px; color: var(--ink); }

.typing { display: flex; align-items: center; gap: 8px; padding: 2px 18px 8px 28px; min-height: 24px; font-size: 13px; color: var(--faint); }
.dots { display: inline-flex; gap: 4px; }
.dots i { width: 6px; height: 6px; border-radius: 50%; background: currentColor; animation: blink 1.2s infinite both; }
.dots i:nth-child(2) { animation-delay: .18s; }
.dots i:nth-child(3) { animation-delay: .36s; }
@keyframes blink { 0%, 70%, 100% { opacity: .25; } 35% { opacity: 1; } }

.bottom { position: absolute; right: 16px; bottom: 84px; width: 40px; height: 40px; border-radius: 50%; display: grid; place-items: center; background: var(--ground); color: var(--ink); border: 1px solid var(--line); box-shadow: var(--shadow); }
.problem { margin: 0 14px 8px; padding: 8px 12px; border-radius: 12px; font-size: 13.5px; color: var(--error); border: 1px solid currentColor; }
.composer { display: flex; align-items: flex-end; gap: 4px; padding: 10px 10px calc(10px + env(safe-area-inset-bottom)); border-top: 1px solid var(--line); background: var(--ground); }
.composer textarea {
  flex: 1; min-width: 0; resize: none; border: 1px solid transparent; border-radius: 22px; background: var(--sunken); color: var(--ink); padding: 10px 15px; min-height: 44px; max-height: 132px;
  font-size: 16px; line-height: 22px; overflow-y: auto; outline-offset: 0; outline-width: 2px; scrollbar-width: none;
}
.composer textarea::placeholder { color: var(--faint); opacity: 1; }
.composer button { width: 44px; height: 44px; border-radius: 50%; display: grid; place-items: center; flex: none; color: var(--faint); }
.composer button:hover { background: var(--sunken); }
.composer .send { background: var(--accent); color: var(--on-accent); }
.composer .send:hover { filter: brightness(1.06); background: var(--accent); }
.composer .send[aria-disabled="true"] { background: var(--sunken); color: var(--faint); cursor: default; }
.drop { position: absolute; inset: 0; display: grid; place-items: center; background: color-mix(in srgb, var(--ground) 88%, transparent); font-weight: 600; border: 3px dashed var(--accent-line); border-radius: 20px; pointer-events: none; }

@media (max-width: 480px) {
  .panel, :host([data-side="left"]) .panel {
    inset: var(--view-top, 0px) 0 auto 0; width: 100%; max-width: none; height: var(--view-height, 100dvh); border-radius: 0; border: 0;
    padding-left: env(safe-area-inset-left); padding-right: env(safe-area-inset-right);
  }
  .head { padding-top: calc(10px + env(safe-area-inset-top)); padding-bottom: 10px; }
  .launcher.opened { visibility: hidden; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
  .dots { display: none; }
}
@media (forced-colors: active) { .bubble, .launcher, .panel, .option, .composer button { border: 1px solid; } .icon { stroke: CanvasText; } }
@media print { :host { display: none !important; } }
`;

function applyStyle(root, nonce) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch (_) {
    const style = document.createElement('style'); // older browsers; a strict policy wants the script's nonce
    if (nonce) style.nonce = nonce;
    style.textContent = STYLE;
    root.append(style);
  }
}

// ---- Colours that can be read (WCAG 2.2: 4.5 to 1) ----

function rgbOf(colour) {
  const hex = /^#([0-9a-f]{6})$/i.exec(String(colour || '').trim());
  return hex ? [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16)) : null;
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

// The colour moved toward white or black until it stands out from the ground.
function readableOn(rgb, ground, toward) {
  for (let step = 0; step <= 20; step += 1) {
    const mixed = rgb.map((c) => Math.round(c + ((toward - c) * step) / 20));
    if (contrast(mixed, ground) >= 4.6) return mixed;
  }
  return [toward, toward, toward];
}

function applyColours(host, accent) {
  const rgb = rgbOf(accent) || [31, 91, 214];
  const light = [255, 255, 255];
  const ink = [20, 22, 26];
  const onAccent = contrast(rgb, light) >= 4.5 ? light : contrast(rgb, ink) >= 4.5 ? ink : null;
  const ground = onAccent ? rgb : readableOn(rgb, light, 0);
  const css = (c) => `rgb(${c.join(', ')})`;
  host.style.setProperty('--accent', css(ground));
  host.style.setProperty('--on-accent', css(onAccent || light));
  host.style.setProperty('--accent-strong', css(readableOn(rgb, light, 0)));
  host.style.setProperty('--accent-bright', css(readableOn(rgb, [25, 28, 32], 255)));
}
