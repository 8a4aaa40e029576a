// The launcher and the window: opening, focus, keyboard, banner, unread count, scrolling.

function panelNew(root, host, config, texts, locale, model, storage, on) {
  const phone = window.matchMedia('(max-width: 480px)');
  let open = false;
  let atBottom = true;
  let scrollLock = '';
  let problemTimer = null;

  const badge = element('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
  const launcher = element('button', { type: 'button', class: 'launcher', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', onclick: toggle });
  const status = element('div', { class: 'hidden', role: 'status' });
  const title = element('h2', { id: 'title' }, config.title || texts.title);
  const closer = element('button', { type: 'button', 'aria-label': texts.close, title: texts.close, onclick: close }, icon('close'));
  const head = element('div', { class: 'head' },
    element('div', {}, title, config.subtitle ? element('p', {}, config.subtitle) : null), closer);
  const banner = element('div', { class: 'banner', role: 'status', hidden: true });
  const log = element('div', { class: 'log', role: 'log', 'aria-live': 'polite', 'aria-label': texts.log, tabindex: '0' });
  const typing = element('div', { class: 'typing', role: 'status' });
  const bottom = element('button', { type: 'button', class: 'bottom', 'aria-label': texts.toBottom, hidden: true, onclick: () => scrollDown() }, icon('down'));
  const problem = element('div', { class: 'problem', role: 'alert', hidden: true });
  const drop = element('div', { class: 'drop', hidden: true }, texts.dropHere);
  const composer = composerNew(texts, model, storage, {
    typing: on.typing, problem: showProblem, sent: () => { atBottom = true; scrollDown(); },
  });
  const panel = element('div', { class: 'panel', role: 'dialog', 'aria-labelledby': 'title', hidden: true },
    head, banner, log, typing, bottom, problem, composer.form, drop);
  const timeline = timelineNew(log, texts, locale, {
    link: model.link, retry: model.retry, remove: model.remove,
    answer: (item, option) => { model.sendAnswer(item, option); atBottom = true; scrollDown(); },
  });
  launcher.append(icon('chat'), badge);
  root.append(panel, launcher, status);

  // ---- Opening and closing ----

  function show() {
    if (open) return;
    open = true;
    storage.setOpen(true);
    panel.hidden = false;
    launcher.classList.add('opened');
    launcher.replaceChildren(icon('close'), badge);
    launcher.setAttribute('aria-expanded', 'true');
    on.opened();
    phoneChanged();
    update();
    composer.fit();
    scrollDown();
    composer.focus();
  }

  function close() {
    if (!open) return;
    open = false;
    storage.setOpen(false);
    panel.hidden = true;
    launcher.classList.remove('opened');
    launcher.replaceChildren(icon('chat'), badge);
    launcher.setAttribute('aria-expanded', 'false');
    phoneChanged();
    update();
    launcher.focus();
  }

  function toggle() {
    if (open) close();
    else show();
  }

  // On a phone the window covers the page: it is modal there, keeps the focus, and the page behind does not scroll.
  function phoneChanged() {
    const modal = open && phone.matches;
    if (modal) panel.setAttribute('aria-modal', 'true');
    else panel.removeAttribute('aria-modal');
    const page = document.documentElement;
    if (modal && !host.hasAttribute('data-modal')) {
      scrollLock = page.style.overflow;
      page.style.overflow = 'hidden';
    }
    if (!modal && host.hasAttribute('data-modal')) page.style.overflow = scrollLock;
    host.toggleAttribute('data-modal', modal);
    viewportChanged();
  }

  // The on-screen keyboard shrinks the visual viewport only: follow it, so that the composer stays above the keys.
  function viewportChanged() {
    const view = window.visualViewport;
    if (!view || !host.hasAttribute('data-modal') || view.scale > 1.01) {
      host.style.removeProperty('--view-height');
      host.style.removeProperty('--view-top');
      return;
    }
    host.style.setProperty('--view-height', `${view.height}px`);
    host.style.setProperty('--view-top', `${view.offsetTop}px`);
    if (atBottom) scrollDown();
  }

  function trap(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      close();
      return;
    }
    if (event.key !== 'Tab' || !panel.hasAttribute('aria-modal')) return;
    const stops = [...panel.querySelectorAll('button, a[href], textarea, audio, video, [tabindex="0"]')].filter((node) => node.getClientRects().length > 0);
    const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
    if (root.activeElement !== edge) return;
    event.preventDefault();
    stops[event.shiftKey ? stops.length - 1 : 0].focus();
  }

  // ---- What is seen ----

  function scrollDown() {
    log.scrollTop = log.scrollHeight;
  }

  function seen() {
    return open && atBottom && document.visibilityState === 'visible';
  }

  function update() {
    const items = model.visible();
    if (config.greeting) items.unshift({ id: 'greeting', from: 'operator', at: items.length ? items[0].at : on.startedAt, content: [{ type: 'text', text: config.greeting }] });
    timeline.render(items);
    if (open && atBottom) scrollDown();
    if (seen()) model.reached('read');
    const count = model.unread().length;
    badge.hidden = count === 0 || open;
    badge.textContent = count > 99 ? '99+' : String(count);
    launcher.setAttribute('aria-label', open ? texts.close : count > 0 ? `${texts.open}. ${fill(texts.unread, count)}` : texts.open);
    typing.replaceChildren(...(model.typing() ? [element('span', { class: 'dots', 'aria-hidden': 'true' }, element('i'), element('i'), element('i')), texts.typing] : []));
    composer.refresh();
  }

  function setStatus(state) {
    const words = { connecting: texts.connecting, offline: texts.offline, unavailable: texts.unavailable }[state];
    const was = !banner.hidden;
    banner.hidden = !words;
    banner.replaceChildren(...(words ? [icon(state === 'connecting' ? 'clock' : 'alert'), words] : []));
    host.setAttribute('data-status', state);
    if (was && state === 'ready' && open) status.textContent = texts.online;
  }

  function showProblem(text) {
    problem.textContent = text;
    problem.hidden = false;
    clearTimeout(problemTimer);
    problemTimer = setTimeout(() => { problem.hidden = true; }, 8000);
  }

  // A closed window is silent to a screen reader: say it outside of it.
  function arrived(item) {
    if (!open) status.textContent = fill(texts.newMessage, plainText(item, texts));
  }

  log.addEventListener('scroll', () => {
    atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    bottom.hidden = atBottom;
    if (seen()) model.reached('read');
  }, { passive: true });
  panel.addEventListener('keydown', trap);
  panel.addEventListener('dragover', (event) => {
    if (!event.dataTransfer || ![...event.dataTransfer.types].includes('Files') || !(model.limits.upload_bytes > 0)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  panel.addEventListener('dragleave', (event) => {
    if (!panel.contains(event.relatedTarget)) drop.hidden = true;
  });
  panel.addEventListener('drop', (event) => {
    drop.hidden = true;
    if (!event.dataTransfer || event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    composer.files(event.dataTransfer.files);
  });
  phone.addEventListener('change', phoneChanged);
  if (window.visualViewport) {
    window.visualViewport.addEventListener('resize', viewportChanged);
    window.visualViewport.addEventListener('scroll', viewportChanged);
  }
  document.addEventListener('visibilitychange', update);
  update();
  return { show, close, toggle, update, setStatus, showProblem, arrived, isOpen: () => open };
}
