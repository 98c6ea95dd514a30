export type Span = {
    from: number;
    to: number;
};
/**
 * `state`: `done`, `current`, `next` or `skipped`.
 */
export type Step = {
    status: string;
    state: string;
    at: number | null;
};
/**
 * `params` are statuses; `reason` is free text.
 */
export type Notice = {
    key: string;
    params: Record<string, string>;
    reason: string | null;
};
/**
 * `due`: shortly after its window an order on its way is expected any moment.
 * `span` until the order has arrived, then `at`; `planned` is null unless the order is late or some minutes behind it.
 */
export type Arrival = {
    state: "expected" | "due" | "overdue" | "arrived";
    span: Span | null;
    at: number | null;
    planned: Span | null;
    late: boolean;
};
/**
 * What a customer sees.
 */
export type View = {
    status: string;
    headline: string;
    steps: Step[];
    eta: Arrival | null;
    notices: Notice[];
    updated: number;
    ended: boolean;
};
/**
 * The events of an order: when each status was reached, without undone ones; the latest event that set a status and the
 * status before it; the number of known assignments of couriers.
 */
export type Log = {
    reached: Record<string, number>;
    last: any;
    before: string;
    couriers: number;
};
/**
 * `words`: the table of the language; `tag`: the language as the device prefers it, with the digits of all pages:
 * `en-GB-u-nu-latn`. `ago` is empty below one minute. `span` writes two times over midnight, as `formatRange` would write both dates.
 */
export type Format = {
    words: any;
    tag: string;
    time: (ms: number, nowMs: number) => string;
    span: (span: Span, nowMs: number) => string;
    ago: (ms: number, nowMs: number) => string;
};
export type OrderView = (order: any, nowMs: number) => View;
export type ReadLog = (events: any[]) => Log;
export type ReadSteps = (status: string, log: Log) => Step[];
export type ReadEta = (order: any, log: Log, nowMs: number) => Arrival | null;
export type ReadSpan = (span: {
    from: string;
    to: string;
}) => Span;
export type ReadNotices = (order: any, log: Log, eta: Arrival | null, ended: boolean) => Notice[];
export type AddNotice = [key: string, reason?: string | null, params?: Record<string, string>];
export type MakeFormat = (words: any, language: string) => Format;
/**
 * Replaces placeholders such as `{ago}`.
 */
export type Fill = (text: string, values: Record<string, string>) => string;
export type Make = (tag: string, className: string, ...children: (string | Node)[]) => HTMLElement;
export type MakeIcon = (name: string) => Element;
export type MakeSkeleton = (heading: string) => HTMLElement;
/**
 * Keeps children that are the same: a live region stays silent.
 */
export type SetContent = (element: Element, ...children: (string | Node)[]) => void;
export type DrawView = (root: ParentNode, view: View, format: Format, nowMs: number) => void;
export type Draw = (name: string, ...children: (string | Node)[]) => DOMStringMap;
/**
 * `seenMs`: when the state was last known to be current.
 */
export type DrawConnection = (line: HTMLElement, connection: string, view: Pick<View, "updated" | "ended"> | null, seenMs: number, format: Format, nowMs: number) => void;
/**
 * The text for a live region.
 */
export type Announcement = (view: View, format: Format, nowMs: number) => string;
export type StepLabel = (status: string, words: any) => string;
export type NoticeText = (notice: Notice, words: any) => string;
