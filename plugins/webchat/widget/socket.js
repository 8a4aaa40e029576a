// One WebSocket that is kept up: hello and welcome, growing pauses with jitter, a heartbeat of our own (a browser does not
// see the protocol's pings), and the end of the wait as soon as the network is back.
//
// on.status(status): 'idle' | 'connecting' | 'ready' | 'offline' | 'unavailable'; on.frame(frame): all but pong and what the
// hello is about; hello(): what to say; on.refused(): the token is not accepted, forget it.

const PING_EVERY_MS = 25000;
const PONG_WITHIN_MS = 10000;
const PAUSE_MIN_MS = 800;
const PAUSE_MAX_MS = 30000;

function socketNew(url, hello, on) {
  let socket = null;
  let status = 'idle';
  let failures = 0;
  let pause = null;
  let heartbeat = null;
  let pong = null;
  let wanted = false;

  function become(next) {
    if (next === status) return;
    status = next;
    on.status(status);
  }

  function start() {
    wanted = true;
    if (socket || pause) return;
    connect();
  }

  function stop() {
    wanted = false;
    clearTimeout(pause);
    pause = null;
    drop(1000);
    become('idle');
  }

  function drop(code) {
    clearInterval(heartbeat);
    clearTimeout(pong);
    const old = socket;
    socket = null;
    if (!old) return;
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    try {
      old.close(code);
    } catch (_) {
      // Closed already.
    }
  }

  function connect() {
    pause = null;
    if (!wanted) return;
    if (status !== 'offline' && status !== 'unavailable') become('connecting');
    try {
      socket = new WebSocket(url);
    } catch (_) {
      again(1006);
      return;
    }
    socket.onopen = () => write(Object.assign({ type: 'hello', v: 1 }, hello()));
    socket.onmessage = (event) => receive(event.data);
    socket.onclose = (event) => {
      drop(1000);
      again(event.code);
    };
    pong = setTimeout(() => lost(), PONG_WITHIN_MS * 2); // until the welcome
  }

  function lost() {
    drop(4000);
    again(1006);
  }

  function again(code) {
    if (!wanted) return;
    failures += 1;
    const grown = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(failures - 1, 10));
    const least = code === 1008 ? PAUSE_MAX_MS : grown;
    clearTimeout(pause);
    pause = setTimeout(connect, least * (0.5 + Math.random() / 2));
    become(navigator.onLine !== false && failures > 3 ? 'unavailable' : failures > 1 || code === 1006 ? 'offline' : 'connecting');
  }

  // The network or the page is back: do not wait for the pause to end.
  function hurry() {
    if (!wanted || !pause) return;
    clearTimeout(pause);
    connect();
  }

  function receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch (_) {
      return;
    }
    if (!frame || typeof frame.type !== 'string') return;
    if (frame.type === 'pong') {
      clearTimeout(pong);
      return;
    }
    if (frame.type === 'error' && frame.code === 'bad_token') {
      on.refused();
      write(Object.assign({ type: 'hello', v: 1 }, hello()));
      return;
    }
    if (frame.type === 'welcome') {
      clearTimeout(pong);
      clearInterval(heartbeat);
      heartbeat = setInterval(beat, PING_EVERY_MS);
      failures = 0;
      const before = status;
      status = 'ready'; // what the welcome shows may be asked for at once
      on.frame(frame);
      if (before !== 'ready') on.status(status);
      return;
    }
    on.frame(frame);
  }

  function beat() {
    clearTimeout(pong);
    pong = setTimeout(lost, PONG_WITHIN_MS);
    write({ type: 'ping' });
  }

  function write(frame) {
    if (!socket || socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  window.addEventListener('online', hurry);
  window.addEventListener('offline', () => {
    if (wanted && socket) lost();
  });
  window.addEventListener('pagehide', () => drop(1000));
  window.addEventListener('pageshow', (event) => {
    if (event.persisted && wanted && !socket) {
      clearTimeout(pause);
      connect();
    }
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    if (status === 'ready') {
      write({ type: 'sync' });
      beat();
    } else {
      hurry();
    }
  });

  return { start, stop, send: (frame) => status === 'ready' && write(frame), status: () => status };
}
