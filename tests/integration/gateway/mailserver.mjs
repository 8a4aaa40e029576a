// A mail server of Debian's packages, unprivileged where it can be, on free ports of 127.0.0.1: dovecot (IMAP, LMTP, submission with STARTTLS and
// log-in) in front of opensmtpd, which delivers by LMTP. Only started by who has the packages: missing() says what is not there.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, scratchDir, until } from './harness.mjs';

const DOVECOT = '/usr/sbin/dovecot', SMTPD = '/usr/sbin/smtpd';

export function missing() {
  for (const file of [DOVECOT, '/usr/lib/dovecot/imap', '/usr/lib/dovecot/lmtp', '/usr/lib/dovecot/submission', SMTPD])
    if (!existsSync(file)) return `${file} is not installed`;
  const version = execFileSync(DOVECOT, ['--version'], { encoding: 'utf8' });
  if (!version.startsWith('2.3.')) return `the configuration is for dovecot 2.3, this is ${version.trim()}`;
  if (process.getuid() !== 0) return 'opensmtpd starts as root only';
  return null;
}

const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

function begin(command, args, name) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.lines = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { child.lines.push(String(data)); if (process.env.KANAL_TEST_VERBOSE) console.error(`${name}: ${data}`); });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.end = () => new Promise((resolve) => { if (!children.has(child)) resolve(); else { child.once('exit', resolve); child.kill('SIGTERM'); setTimeout(() => child.kill('SIGKILL'), 5000).unref(); } });
  return child;
}

export class MailServer {
  static async start(certificate, { password = 'geheim', relay } = {}) {
    const server = new MailServer();
    const directory = (server.directory = scratchDir());
    chmodSync(directory, 0o755);
    for (const name of ['run', 'state', 'home', 'home/ivan', 'home/ivan/Maildir', 'home/ivan/Maildir/cur', 'home/ivan/Maildir/new', 'home/ivan/Maildir/tmp'])
      mkdirSync(path.join(directory, name));
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'nobody'])));
    server.owner = [uid, gid];
    server.maildir = path.join(directory, 'home/ivan/Maildir');
    for (const name of ['home', 'home/ivan', 'home/ivan/Maildir', 'home/ivan/Maildir/cur', 'home/ivan/Maildir/new', 'home/ivan/Maildir/tmp'])
      chownSync(path.join(directory, name), uid, gid);
    [server.imap, server.imaps, server.submission, server.lmtp, server.smtp] = await Promise.all([1, 2, 3, 4, 5].map(freePort));
    writeFileSync(path.join(directory, 'smtpd.conf'), `listen on 127.0.0.1 port ${server.smtp}\n`
      + `action "local" relay host "lmtp://127.0.0.1:${server.lmtp}"\nmatch from any for any action "local"\n`);
    writeFileSync(path.join(directory, 'dovecot.conf'), dovecot(server, certificate, password, relay ?? server.smtp));
    server.dovecot = begin(DOVECOT, ['-F', '-c', path.join(directory, 'dovecot.conf')], 'dovecot');
    // Its spool and socket have fixed places: it gets a view of the file system of its own, where those are empty.
    server.opensmtpd = begin('unshare', ['-m', 'sh', '-c', `set -e
      mount -t tmpfs none /var/spool
      mount -t tmpfs none /run
      mkdir -p /var/spool/smtpd /var/empty
      chmod 711 /var/spool/smtpd
      exec ${SMTPD} -d -f ${path.join(directory, 'smtpd.conf')}`], 'opensmtpd');
    await until('opensmtpd listens', () => fetchLine(server.smtp));
    await until('dovecot listens', async () => { await fetchLine(server.imap); return true; });
    return server;
  }
  // Puts a message into the mailbox, as a delivery would.
  put(text, name = `${Date.now()}.${Math.random().toString(36).slice(2)}.host`, folder = 'new') {
    const file = path.join(this.maildir, folder, name + (folder === 'cur' ? ':2,' : ''));
    writeFileSync(file, text);
    chownSync(file, ...this.owner);
  }
  messages() {
    return ['new', 'cur'].flatMap((folder) => readdirSync(path.join(this.maildir, folder)).map((name) => path.join(this.maildir, folder, name))).map((file) => readFileSync(file, 'latin1'));
  }
  log() { return existsSync(path.join(this.directory, 'dovecot.log')) ? readFileSync(path.join(this.directory, 'dovecot.log'), 'utf8') : ''; }
  async stop() { await this.dovecot.end(); await this.opensmtpd.end(); }
}

async function fetchLine(port) {
  const net = await import('node:net');
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('data', (data) => { socket.destroy(); resolve(String(data)); });
    socket.once('error', reject);
  });
}

function dovecot(server, certificate, password, relay) {
  const at = (name) => path.join(server.directory, name);
  const local = 'chroot =\n';
  return `
base_dir = ${at('run')}
state_dir = ${at('state')}
log_path = ${at('dovecot.log')}
protocols = imap lmtp submission
listen = 127.0.0.1
hostname = localhost
ssl = required
ssl_cert = <${certificate.cert}
ssl_key = <${certificate.key}
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
mail_location = maildir:~/Maildir
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 0
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_format = %n
submission_relay_host = 127.0.0.1
submission_relay_port = ${relay}
submission_relay_trusted = no
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${at('home')}/%n
}
service imap-login {
  ${local}
  inet_listener imap {
    port = ${server.imap}
  }
  inet_listener imaps {
    port = ${server.imaps}
    ssl = yes
  }
}
service submission-login {
  ${local}
  inet_listener submission {
    port = ${server.submission}
  }
}
service lmtp {
  ${local}
  user = nobody
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${server.lmtp}
  }
}
service anvil {
  ${local}
}
service stats {
  ${local}
}
`;
}
