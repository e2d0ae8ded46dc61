// <pilot-light src="/status"></pilot-light>: which brain is on, live. No dependencies; nothing inline, so that a
// strict content security policy lets it be. Style it with --pilot-light-claude, -local, -none, -lost and -size.
"use strict";

const WORDS = { claude: "Claude", local: "local model", none: "nobody", lost: "no contact", waiting: "…" };
const RETRY_MILLISECONDS = 2_000;
const SILENT_MILLISECONDS = 13_000;
const STYLE = `
  :host { display: inline-flex; align-items: center; gap: .4em; font: inherit; }
  :host([hidden]) { display: none; }
  i { width: var(--pilot-light-size, .7em); height: var(--pilot-light-size, .7em); border-radius: 50% 50% 50% 50% / 65% 65% 40% 40%;
      background: var(--pilot-light-lost, #8a8a8a); flex: none; }
  i.claude { background: var(--pilot-light-claude, #d9660f); }
  i.local { background: var(--pilot-light-local, #2f6690); transform: scale(.75); }
  i.none { background: none; box-shadow: inset 0 0 0 2px var(--pilot-light-none, #a3242a); }
`;

class PilotLight extends HTMLElement {
  #light = document.createElement("i");
  #text = document.createElement("span");
  #source = null;
  #timer = null;
  #heardAt = 0;
  static observedAttributes = ["src"];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#light.setAttribute("aria-hidden", "true");
    this.#text.setAttribute("role", "status");
    this.#text.setAttribute("part", "text");
    root.append(this.#light, this.#text);
  }

  connectedCallback() {
    this.#show("waiting");
    this.#listen();
    this.#timer = setInterval(() => this.#check(), RETRY_MILLISECONDS);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  attributeChangedCallback() {
    if (this.#source) this.#listen();
  }

  #listen() {
    this.#source?.close();
    this.#heardAt = Date.now();
    const source = new EventSource(`${this.getAttribute("src") || "/status"}/events`);
    source.addEventListener("status", (event) => {
      const status = JSON.parse(event.data);
      this.#heardAt = Date.now();
      this.#show(status.active_backend, status);
    });
    source.addEventListener("beat", () => { this.#heardAt = Date.now(); });
    source.addEventListener("error", () => this.#show("lost"));
    this.#source = source;
  }

  #check() {
    const silent = Date.now() - this.#heardAt > SILENT_MILLISECONDS;
    if (silent) this.#show("lost");
    if (silent || this.#source?.readyState === EventSource.CLOSED) this.#listen();
  }

  #show(state, status) {
    this.dataset.state = state;
    this.#light.className = state;
    if (this.#text.textContent !== WORDS[state]) this.#text.textContent = WORDS[state] ?? state;
    this.title = status?.words ? `${status.words.what} ${status.words.do}` : "";
    if (status) this.dispatchEvent(new CustomEvent("pilot-light-change", { detail: status, bubbles: true }));
  }
}

customElements.define("pilot-light", PilotLight);
