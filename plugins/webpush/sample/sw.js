// The service worker of a site, at its root: shows what the channel sends, and opens what was clicked.
self.addEventListener('push', (event) => {
  const message = event.data ? event.data.json() : {};
  const { title, body, icon, badge, image, tag, lang, dir, silent, renotify, requireInteraction, actions = [] } = message;
  event.waitUntil(self.registration.showNotification(title || self.location.hostname, {
    body, icon, badge, image, lang, dir, silent, renotify, requireInteraction,
    tag, // the same message again replaces itself
    actions: actions.map((one) => ({ action: one.action, title: one.title })),
    data: message,
  }));
});

self.addEventListener('notificationclick', (event) => {
  const message = event.notification.data ?? {};
  const pressed = (message.actions ?? []).find((one) => one.action === event.action);
  const url = pressed?.url ?? message.url;
  event.notification.close();
  if (!url) return;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    const same = open.find((client) => client.url === url);
    return same ? same.focus() : self.clients.openWindow(url);
  })());
});
