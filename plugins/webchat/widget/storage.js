// What outlives a reload: the session token, messages without an answer, the draft, whether the panel stood open.
// Where the browser refuses storage (blocked cookies, private mode, a sandboxed frame) it lasts as long as the page.

function storageNew(name) {
  const memory = new Map();
  const areas = { local: areaOf('localStorage'), session: areaOf('sessionStorage') };

  function areaOf(kind) {
    try {
      const area = window[kind];
      const probe = `${name}:probe`;
      area.setItem(probe, '1');
      area.removeItem(probe);
      return area;
    } catch (_) {
      return null;
    }
  }

  function get(kind, key) {
    const area = areas[kind];
    try {
      return area ? area.getItem(`${name}:${key}`) : memory.get(key) ?? null;
    } catch (_) {
      return memory.get(key) ?? null;
    }
  }

  function set(kind, key, value) {
    const area = areas[kind];
    if (value === null) memory.delete(key);
    else memory.set(key, value);
    try {
      if (area && value === null) area.removeItem(`${name}:${key}`);
      else if (area) area.setItem(`${name}:${key}`, value);
    } catch (_) {
      // Full or withdrawn meanwhile: the page's own memory has it.
    }
  }

  function list(key) {
    try {
      const value = JSON.parse(get('local', key) || '[]');
      return Array.isArray(value) ? value.filter((entry) => entry && typeof entry.id === 'string') : [];
    } catch (_) {
      return [];
    }
  }

  return {
    durable: areas.local !== null,
    token: () => get('local', 'token'),
    setToken: (token) => set('local', 'token', token),
    draft: () => get('session', 'draft') || '',
    setDraft: (text) => set('session', 'draft', text || null),
    open: () => get('session', 'open') === '1',
    setOpen: (open) => set('session', 'open', open ? '1' : null),
    // The outbox is read anew at each change: other tabs of the same visitor write it too.
    outbox: () => list('outbox'),
    outboxAdd: (entry) => set('local', 'outbox', JSON.stringify(list('outbox').concat(entry).slice(-50))),
    outboxRemove: (id) => set('local', 'outbox', JSON.stringify(list('outbox').filter((e) => e.id !== id))),
    attribution: () => {
      try {
        return JSON.parse(get('session', 'attribution') || '{}') || {};
      } catch (_) {
        return {};
      }
    },
    setAttribution: (value) => set('session', 'attribution', JSON.stringify(value)),
  };
}

const ATTRIBUTION = [
  'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content',
  'gclid', 'gbraid', 'wbraid', 'yclid', 'fbclid', 'msclkid', 'ttclid', 'vkclid',
];

// How the visitor came to the site: from this page's address, else what an earlier page of the visit kept.
function attributionOf(storage) {
  const found = {};
  const query = new URLSearchParams(window.location.search);
  for (const key of ATTRIBUTION) {
    if (query.get(key)) found[key] = query.get(key).slice(0, 256);
  }
  if (Object.keys(found).length > 0) storage.setAttribution(found);
  return Object.keys(found).length > 0 ? found : storage.attribution();
}
