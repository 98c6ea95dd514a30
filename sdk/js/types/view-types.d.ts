export type Span = {
    from: number;
    to: number;
};
/**
 * `params` are statuses; `reason` is free text.
 */
export type Step = {
    status: string;
    state: "done" | "current" | "next" | "skipped";
    at: number | null;
};
/**
 * `span` until the order has arrived, then `at`; `planned` is null while it is the same as `span`.
 */
export type Notice = {
    key: string;
    params: Record<string, string>;
    reason: string | null;
};
/**
 * What a customer sees. `number` of the current step, null outside of the progression.
 */
export type Arrival = {
    state: "expected" | "overdue" | "arrived";
    span: Span | null;
    at: number | null;
    planned: Span | null;
    late: boolean;
};
export type View = {
    status: string;
    headline: string;
    steps: Step[];
    number: number | null;
    of: number;
    eta: Arrival | null;
    notices: Notice[];
    updated: number;
    /**
     * The events of an order: when each status was reached, without undone ones; the latest event that set a status and the
     * status before it; the number of known assignments of couriers.
     */
    ended: boolean;
};
export type Log = {
    reached: Record<string, number>;
    last: any;
    before: string;
    couriers: number;
};
export type Format = ReturnType<typeof import("./format.js").makeFormat>;
