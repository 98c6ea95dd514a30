/** Return the language of the table for a tag such as `de-AT`. @param {string | null} [tag] */
export function supportedLanguage(tag?: string | null): string;
/** Return the key of the texts for a refusal. @param {number} status of HTTP @param {boolean} isLink */
export function problemOf(status: number, isLink: boolean): string;
/** @param {any} words the table of a language @param {string} language */
export function makeFormat(words: any, language: string): {
    words: any;
    /** @param {number} ms @param {number} nowMs */
    time: (ms: number, nowMs: number) => string;
    /** @param {import('./view-types.js').Span} span @param {number} nowMs */
    span: ({ from, to }: import("./view-types.js").Span, nowMs: number) => string;
    /** Return `2 min ago`; nothing below one minute. @param {number} ms @param {number} nowMs */
    ago(ms: number, nowMs: number): string;
    /** @param {number} number @param {Intl.NumberFormatOptions} [options] */
    number: (number: number, options?: Intl.NumberFormatOptions) => string;
};
export function fill(text: string, values: Record<string, string>): string;
