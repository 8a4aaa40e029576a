// For a page: asks the visitor, subscribes the browser, and tells the channel. Call subscribe() from a click: browsers ask only then.
//   const push = kanalPush('https://hub.example.com/c/shop-push', '/sw.js')
//   button.onclick = () => push.subscribe()
// The session is the visitor's own token, the same as the chat's and the forms' of the site: pass it where they keep it.
function kanalPush(channel, worker, storage = localStorage) {
  const key = 'kanal-session';
  const post = async (path, body) => {
    const response = await fetch(channel + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error ? answer.error.message : `HTTP ${response.status}`);
    return answer;
  };
  const tell = async (subscription) => {
    const answer = await post('/subscription', { subscription, session: storage.getItem(key) ?? undefined });
    storage.setItem(key, answer.session);
    return answer.visitor;
  };
  const registration = () => navigator.serviceWorker.register(worker).then(() => navigator.serviceWorker.ready);
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return {
    // The visitor's id; null if the visitor does not want it.
    async subscribe() {
      if (await Notification.requestPermission() !== 'granted') return null;
      const { public_key } = await (await fetch(`${channel}/key`)).json();
      const { pushManager } = await registration();
      return tell(await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(public_key) }));
    },
    // At each visit: a browser renews subscriptions by itself, and this is how the channel hears of it.
    async refresh() {
      const subscription = await (await registration()).pushManager.getSubscription();
      return subscription ? tell(subscription) : null;
    },
    async unsubscribe() {
      const subscription = await (await registration()).pushManager.getSubscription();
      await subscription?.unsubscribe();
      if (storage.getItem(key)) await post('/unsubscribe', { session: storage.getItem(key) });
    },
  };
}
if (typeof module !== 'undefined') module.exports = { kanalPush };
