/**
 * `state`: `done`, `current`, `next` or `skipped`.
 */
export type Span = {
    from: number;
    to: number;
};
/**
 * `params` are statuses; `reason` is free text.
 */
export type Step = {
    status: string;
    state: string;
    at: number | null;
};
/**
 * `due`: shortly after its window an order on its way is expected any moment.
 * `span` until the order has arrived, then `at`; `planned` is null unless the order is late or some minutes behind it.
 */
export type Notice = {
    key: string;
    params: Record<string, string>;
    reason: string | null;
};
/**
 * What a customer sees.
 */
export type Arrival = {
    state: "expected" | "due" | "overdue" | "arrived";
    span: Span | null;
    at: number | null;
    planned: Span | null;
    late: boolean;
};
export type View = {
    status: string;
    headline: string;
    steps: Step[];
    eta: Arrival | null;
    notices: Notice[];
    updated: number;
    /**
     * The events of an order: when each status was reached, without undone ones; the latest event that set a status and the
     * status before it; the number of known assignments of couriers.
     */
    ended: boolean;
};
/**
 * `words`: the table of the language; `tag`: the language as the device prefers it, with the digits of all pages: `en-GB-u-nu-latn`. `ago` is empty below
 * one minute.
 */
export type Log = {
    reached: Record<string, number>;
    last: any;
    before: string;
    couriers: number;
};
export type Format = {
    words: any;
    tag: string;
    time: (ms: number, nowMs: number) => string;
    span: (span: Span, nowMs: number) => string;
    ago: (ms: number, nowMs: number) => string;
};
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type OrderView = (order: any, nowMs: number) => View;
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type ReadLog = (events: any[]) => Log;
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type ReadSteps = (status: string, log: Log) => Step[];
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type ReadEta = (order: any, log: Log, nowMs: number) => Arrival | null;
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type ReadSpan = (span: {
    from: string;
    to: string;
}) => Span;
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type ReadNotices = (order: any, log: Log, eta: Arrival | null, ended: boolean) => Notice[];
/**
 * The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.
 */
export type AddNotice = [key: string, reason?: string | null, params?: Record<string, string>];
/**
 * Replaces placeholders such as `{ago}`.
 */
export type MakeFormat = (words: any, language: string) => Format;
/**
 * The functions of `stepper.js`.
 */
export type Fill = (text: string, values: Record<string, string>) => string;
/**
 * The functions of `stepper.js`.
 */
export type Make = (tag: string, className: string, ...children: (string | Node)[]) => HTMLElement;
/**
 * The functions of `stepper.js`.
 */
export type MakeIcon = (name: string) => Element;
/**
 * Keeps children that are the same: a live region stays silent.
 */
export type MakeSkeleton = (heading: string) => HTMLElement;
/**
 * The functions of `stepper.js`.
 */
export type SetContent = (element: Element, ...children: (string | Node)[]) => void;
/**
 * The functions of `stepper.js`.
 */
export type DrawView = (root: ParentNode, view: View, format: Format, nowMs: number) => void;
/**
 * `seenMs`: when the state was last known to be current.
 */
export type Draw = (name: string, ...children: (string | Node)[]) => DOMStringMap;
/**
 * The text for a live region.
 */
export type DrawConnection = (line: HTMLElement, connection: string, view: Pick<View, "updated" | "ended"> | null, seenMs: number, format: Format, nowMs: number) => void;
/**
 * The functions of `stepper.js`.
 */
export type Announcement = (view: View, format: Format, nowMs: number) => string;
/**
 * The functions of `stepper.js`.
 */
export type StepLabel = (status: string, words: any) => string;
/**
 * The functions of `stepper.js`.
 */
export type NoticeText = (notice: Notice, words: any) => string;
