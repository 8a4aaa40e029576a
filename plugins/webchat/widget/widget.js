// The chat on the site. The gateway serves all files of this folder as one, inside one function scope, and calls kanalChat()
// at its end with the channel's configuration; see embed.py. Page attributes (data-title …) go before the configuration.

function kanalChat(served, script) {
  if (window.KanalChat) return;
  const data = script ? script.dataset : {};
  const config = Object.assign({}, served);
  for (const key of ['title', 'subtitle', 'greeting', 'accent', 'locale', 'theme', 'side']) {
    if (data[key] !== undefined) config[key] = data[key];
  }
  const base = script && script.src ? new URL('.', script.src).href : config.base;
  const locale = knownLocale(config.locale || document.documentElement.lang || navigator.language);
  const texts = textsFor(locale, config.texts);
  const storage = storageNew(`kanal-chat:${base}`);
  const attribution = attributionOf(storage);
  let reference = takeReference();

  const host = document.createElement('kanal-chat');
  const root = host.attachShadow({ mode: 'open' });
  host.lang = locale;
  if (config.side === 'left') host.dataset.side = 'left';
  applyStyle(root, script && script.nonce);
  applyColours(host, config.accent);
  followTheme(host, config.theme);

  let panel = null;
  const model = modelNew(base, config, texts, storage, (frame) => socket.send(frame), {
    change: () => panel && panel.update(),
    arrived: (item) => panel && panel.arrived(item),
    problem: (text) => panel.showProblem(text),
  });
  const socket = socketNew(base.replace(/^http/, 'ws') + 'ws', hello, {
    status: (status) => {
      panel.setStatus(status);
      if (status !== 'ready') return;
      model.flush();
      panel.update();
      model.reached('delivered');
    },
    frame: (frame) => {
      if (frame.type === 'welcome') reference = null; // it is told
      model.frame(frame);
      if (frame.type === 'message') model.reached('delivered');
    },
    refused: () => storage.setToken(null),
  });

  function hello() {
    const greeting = {
      locale,
      page: { url: window.location.href.slice(0, 2048), title: document.title.slice(0, 256) },
      referrer: document.referrer.slice(0, 2048),
      attribution,
    };
    if (reference) greeting.ref = reference;
    return storage.token() ? Object.assign(greeting, { token: storage.token() }) : greeting;
  }

  // A visitor who never opened the chat costs no connection; one who did hears of new messages on every page.
  function begin() {
    document.body.append(host);
    panel = panelNew(root, host, config, texts, locale, model, storage, {
      startedAt: Date.now(),
      typing: () => socket.send({ type: 'typing' }),
      opened: () => socket.start(),
    });
    if (storage.token()) socket.start();
    if (reference) panel.show(); // who followed a link to the chat came to talk
    else if (storage.open() && !window.matchMedia('(max-width: 480px)').matches) panel.show();
  }

  window.KanalChat = Object.freeze({
    open: () => panel && panel.show(),
    close: () => panel && panel.close(),
    toggle: () => panel && panel.toggle(),
    // The session token, or null: for a form of the same site, so that both are one visitor.
    session: () => storage.token(),
    // The token that such a form was given, unless the chat has its own already.
    adopt: (token) => {
      if (!storage.token() && /^v1\.[a-z2-7]{26}\.[\w-]{43}$/.test(token)) storage.setToken(token);
    },
  });
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
}

// The reference of a hand-off link (#kanal=… or ?kanal=…), once: a reload, a bookmark or a copy of the address is no second arrival.
function takeReference() {
  const url = new URL(window.location.href);
  const isInHash = url.hash.startsWith('#kanal=');
  const reference = isInHash ? url.hash.slice('#kanal='.length) : url.searchParams.get('kanal');
  if (!reference || !/^[\w-]{1,64}$/.test(reference)) return null;
  if (isInHash) url.hash = '';
  else url.searchParams.delete('kanal');
  try {
    window.history.replaceState(window.history.state, '', url);
  } catch (_) {
    // A sandboxed frame: the address stays.
  }
  return reference;
}

function knownLocale(locale) {
  try {
    return Intl.getCanonicalLocales(locale)[0] || 'en';
  } catch (_) {
    return 'en';
  }
}

function followTheme(host, theme) {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = () => host.toggleAttribute('data-dark', theme === 'dark' || (theme !== 'light' && dark.matches));
  dark.addEventListener('change', apply);
  apply();
}
