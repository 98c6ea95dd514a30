/** Texts of one language: the table of words, and times, durations and money through `Intl`. */

export const LANGUAGES = ['en', 'de', 'fr', 'es', 'ar', 'vi'];

/**
 * @param {string|undefined|null} tag a language tag, `de-AT`
 * @returns {string} the language of the table for it
 */
export function supportedLanguage(tag) {
  const language = (tag ?? '').toLowerCase().split('-')[0];
  return LANGUAGES.includes(language) ? language : 'en';
}

/**
 * @param {string} text with placeholders, `Step {number} of {of}`
 * @param {Record<string, string|number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (placeholder, name) => String(values[name] ?? placeholder));
}

/**
 * @param {any} words a table of `words/`
 * @param {string} language its language
 */
export function makeFormat(words, language) {
  const locale = navigator.languages?.find((tag) => supportedLanguage(tag) === language && tag.startsWith(language));
  const tag = locale ?? language;
  /** @type {Intl.DateTimeFormatOptions} */
  const clock = { hour: 'numeric', minute: '2-digit' };
  const time = new Intl.DateTimeFormat(tag, clock);
  const dayAndTime = new Intl.DateTimeFormat(tag, { ...clock, weekday: 'short', day: 'numeric', month: 'short' });
  const relative = new Intl.RelativeTimeFormat(tag, { style: 'short', numeric: 'always' });
  /**
   * @param {number} ms
   * @param {number} nowMs
   */
  const formatOf = (ms, nowMs) =>
    new Date(ms).toDateString() === new Date(nowMs).toDateString() ? time : dayAndTime;
  return {
    words,
    /**
     * @param {number} ms
     * @param {number} nowMs
     */
    time: (ms, nowMs) => formatOf(ms, nowMs).format(ms),
    /**
     * @param {{from: number, to: number}} span
     * @param {number} nowMs
     */
    span: ({ from, to }, nowMs) => formatOf(from, nowMs).formatRange(from, to),
    /**
     * @param {number} ms
     * @param {number} nowMs
     * @returns {string} `2 min ago`; empty below one minute
     */
    ago(ms, nowMs) {
      const minutes = Math.floor((nowMs - ms) / 60000);
      if (minutes < 1) return '';
      if (minutes < 60) return relative.format(-minutes, 'minute');
      return minutes < 1440
        ? relative.format(-Math.floor(minutes / 60), 'hour')
        : relative.format(-Math.floor(minutes / 1440), 'day');
    },
    /**
     * @param {number} amount
     * @param {string|null} currency
     */
    money(amount, currency) {
      try {
        return new Intl.NumberFormat(tag, { style: 'currency', currency: currency ?? '' }).format(amount);
      } catch {
        const number = new Intl.NumberFormat(tag, { minimumFractionDigits: 2 }).format(amount);
        return currency ? `${number} ${currency}` : number;
      }
    },
    /** @param {number} number */
    number: (number) => new Intl.NumberFormat(tag).format(number),
  };
}

/**
 * @param {number} status
 * @param {boolean} isLink
 * @returns {string} the key of the texts for a refusal
 */
export function problemOf(status, isLink) {
  if (status === 410 || (isLink && [401, 403, 404].includes(status))) return 'gone';
  const problems = /** @type {Record<number, string>} */ ({ 401: 'token', 403: 'foreign', 404: 'unknown', 429: 'busy' });
  return problems[status] ?? (status >= 500 ? 'down' : 'other');
}

/** @typedef {ReturnType<typeof makeFormat>} Format */
