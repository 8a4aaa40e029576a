// Durations (ISO 8601, or 90s, 12h, 7d as in kanal.yaml) and times of day in a time zone. Pure functions.

const UNITS = { ms: 1, s: 1000, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };

// Milliseconds; undefined: no duration. Months and years are none: they are of no fixed length.
export function duration(text) {
  if (typeof text !== 'string') return undefined;
  const short = /^(-?)(\d{1,9})(ms|s|m|h|d|w)$/.exec(text);
  if (short) return (short[1] ? -1 : 1) * Number(short[2]) * UNITS[short[3]];
  const long = /^(-?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,3})?)S)?)?$/.exec(text);
  if (!long || /[PT]$/.test(text)) return undefined;
  const [weeks, days, hours, minutes, seconds] = long.slice(2).map((digits) => Number(digits ?? 0));
  return (long[1] ? -1 : 1) * (weeks * UNITS.w + days * UNITS.d + hours * UNITS.h + minutes * UNITS.m + Math.round(seconds * UNITS.s));
}

export const timeOfDay = (text) => { const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text); return match ? Number(match[1]) * 60 + Number(match[2]) : undefined; };

export function isZone(name) {
  try { new Intl.DateTimeFormat('en', { timeZone: name }); return typeof name === 'string'; } catch { return false; }
}

// Minutes that a zone's clocks are ahead of UTC at that moment.
function offset(ms, zone) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
    .formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  return Math.round((Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(ms / 1000) * 1000) / 60e3);
}

// The first moment from `ms` on when clocks in the zone show that time. One that a night in spring leaves out is an hour later.
export function nextTimeOfDay(ms, minutes, zone) {
  for (let day = -1; day <= 2; day++) {
    const local = new Date(ms + offset(ms, zone) * 60e3);
    const wanted = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate() + day) + minutes * 60e3;
    let moment = wanted - offset(wanted, zone) * 60e3;
    moment = wanted - offset(moment, zone) * 60e3;
    if (moment >= ms) return moment;
  }
  throw new Error(`no ${minutes} in ${zone}`); // cannot be: some day of three has it
}
