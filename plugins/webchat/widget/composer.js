// Where the visitor writes: grows with the text, Enter sends (Shift+Enter breaks the line), files by button, paste or drop.

function composerNew(texts, model, storage, on) {
  const area = element('textarea', { rows: '1', placeholder: texts.placeholder, 'aria-label': texts.input, enterkeyhint: 'send', autocomplete: 'off' });
  const file = element('input', { type: 'file', hidden: true, multiple: true, tabindex: '-1', 'aria-hidden': 'true' });
  const attach = element('button', { type: 'button', class: 'attach', 'aria-label': texts.attach, title: texts.attach, onclick: () => file.click() }, icon('clip'));
  const send = element('button', { type: 'button', class: 'send', 'aria-label': texts.send, title: texts.send, 'aria-disabled': 'true', onclick: submit }, icon('send'));
  const form = element('div', { class: 'composer' }, attach, file, area, send);
  let typedAt = 0;

  function fit() {
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, 132)}px`;
    send.setAttribute('aria-disabled', area.value.trim() ? 'false' : 'true');
  }

  function submit() {
    const text = area.value.trim().replace(/\u0000/g, '');
    if (!text) return area.focus();
    if ([...text].length > model.limits.text_chars) return on.problem(fill(texts.tooLong, model.limits.text_chars));
    model.sendText(text);
    area.value = '';
    storage.setDraft('');
    typedAt = 0;
    fit();
    area.focus();
    on.sent();
  }

  function files(list) {
    for (const one of [...list].slice(0, 10)) model.sendFile(one);
    if (list.length > 0) on.sent();
  }

  area.addEventListener('input', () => {
    fit();
    storage.setDraft(area.value);
    if (area.value && Date.now() - typedAt > 3000) {
      typedAt = Date.now();
      on.typing();
    }
  });
  area.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  area.addEventListener('paste', (event) => {
    const pasted = event.clipboardData ? event.clipboardData.files : [];
    if (pasted.length === 0) return;
    event.preventDefault();
    files(pasted);
  });
  file.addEventListener('change', () => {
    files(file.files);
    file.value = '';
    area.focus();
  });

  function refresh() {
    attach.hidden = !(model.limits.upload_bytes > 0);
    file.accept = model.limits.upload_types.join(',');
  }

  area.value = storage.draft();
  refresh();
  return { form, files, fit, refresh, focus: () => area.focus() };
}
