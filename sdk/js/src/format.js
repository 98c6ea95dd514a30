/** Texts of one language: its table of words, and times, durations and money through `Intl`. */

const LANGUAGES = ['en', 'de', 'fr', 'es', 'ar', 'vi'];
const PROBLEMS = /** @type {Record<number, string>} */ ({ 401: 'token', 403: 'foreign', 404: 'unknown', 410: 'gone', 429: 'busy' });

/** Return the language of the table for a tag such as `de-AT`. @param {string | null} [tag] */
export function supportedLanguage(tag) {
  const language = (tag ?? '').toLowerCase().split('-')[0];
  return LANGUAGES.includes(language) ? language : 'en';
}

/** Replace placeholders, as in `Step {number} of {of}`. @param {string} text @param {Record<string, string>} values */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Return the key of the texts for a refusal. @param {number} status of HTTP @param {boolean} isLink */
export function problemOf(status, isLink) {
  if (isLink && [401, 403, 404].includes(status)) return 'gone';
  return PROBLEMS[status] ?? (status >= 500 ? 'down' : 'other');
}

/** @param {any} words the table of a language @param {string} language */
export function makeFormat(words, language) {
  const tag = navigator.languages.find((known) => known.startsWith(language)) ?? language;
  /** @param {Intl.DateTimeFormatOptions} [day] */
  const clock = (day) => new Intl.DateTimeFormat(tag, { hour: 'numeric', minute: '2-digit', ...day });
  const time = clock();
  const dayAndTime = clock({ weekday: 'short', day: 'numeric', month: 'short' });
  const relative = new Intl.RelativeTimeFormat(tag, { style: 'short' });
  /** @param {number} ms @param {number} nowMs */
  const clockAt = (ms, nowMs) => (new Date(ms).toDateString() === new Date(nowMs).toDateString() ? time : dayAndTime);
  return {
    words,
    /** @param {number} ms @param {number} nowMs */
    time: (ms, nowMs) => clockAt(ms, nowMs).format(ms),
    /** @param {import('./view-types.js').Span} span @param {number} nowMs */
    span: ({ from, to }, nowMs) => clockAt(from, nowMs).formatRange(from, to),
    /** Return `2 min ago`; nothing below one minute. @param {number} ms @param {number} nowMs */
    ago(ms, nowMs) {
      const minutes = Math.floor((nowMs - ms) / 60000);
      if (minutes < 1) return '';
      if (minutes < 60) return relative.format(-minutes, 'minute');
      const hours = Math.floor(minutes / 60);
      return hours < 24 ? relative.format(-hours, 'hour') : relative.format(-Math.floor(hours / 24), 'day');
    },
    /** @param {number} number @param {Intl.NumberFormatOptions} [options] */
    number: (number, options) => new Intl.NumberFormat(tag, options).format(number),
  };
}
