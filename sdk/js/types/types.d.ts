/**
 * Durations in seconds.
 */
export type Pace = {
    /**
     * hold to begin with
     */
    firstHoldS: number;
    /**
     * shortest hold, unless the server's limit is lower
     */
    minHoldS: number;
    /**
     * longest hold
     */
    maxHoldS: number;
    /**
     * time that an answer may take beyond its hold
     */
    marginS: number;
    /**
     * limit of the wait after the first failure
     */
    backoffBaseS: number;
    /**
     * limit of the wait after any failure
     */
    backoffCapS: number;
    /**
     * limit of the wait after a drain
     */
    drainSpreadS: number;
    /**
     * an answer without news in less time is a failure
     */
    quickS: number;
};
/**
 * A learned hold: the next length, the completed holds before it grows and how many of them were seen, and the longest
 * length that was lost.
 */
export type Learned = {
    lengthS: number;
    needed: number;
    worked: number;
    lostS: number;
};
export type Mode = "live" | "saver" | "auto";
export type MachineOptions = {
    mode?: Mode;
    cursor?: string;
    clientId?: string;
    pace?: Partial<Pace>;
    learned?: Learned | null;
};
export type Connection = "connecting" | "live" | "reconnecting" | "offline" | "paused" | "ended" | "stopped" | "refused";
export type Answer = {
    [name: string]: any;
    cursor: string;
    data: any;
    reset?: boolean;
    reason?: string;
};
export type Problem = {
    status?: number;
    code: string;
    message: string;
};
export type AnswerEvent = {
    type: "answer";
    id: number;
    status: number;
    headers?: Record<string, string>;
    body: string;
};
export type MachineEvent = {
    type: "start" | "timer" | "hidden" | "visible" | "offline" | "online" | "stop";
} | AnswerEvent | {
    type: "failure";
    id: number;
    offline?: boolean;
} | {
    type: "network";
    learned?: Learned | null;
} | {
    type: "power";
    isLow: boolean;
};
/**
 * `timerS` replaces the timer: `timer` must follow after so many seconds. `cancel` ends the request and the timer.
 */
export type Command = {
    do: "send";
    id: number;
    query: Record<string, string>;
    timerS: number;
} | {
    do: "wait" | "check";
    timerS: number;
} | {
    do: "cancel";
} | {
    do: "deliver";
    answer: Answer;
} | {
    do: "connection";
    state: Connection;
    retryInS?: number;
} | {
    do: "remember";
    learned: Learned;
} | {
    do: "end";
    error?: Problem;
};
export type OrderStatus = "confirmed" | "preparing" | "ready" | "picked_up" | "delivered" | "cancelled";
/**
 * A time in which the order is expected to arrive. All times are UTC, such as `2026-11-22T10:15:30.123Z`.
 */
export type ArrivalWindow = {
    from: string;
    to: string;
};
/**
 * The expected arrival.
 */
export type OrderEta = {
    /**
     * given at creation; never changes
     */
    promised: ArrivalWindow;
    /**
     * expected now; null once the order has ended
     */
    current: ArrivalWindow | null;
    /**
     * the order is, or was delivered, later than promised
     */
    late: boolean;
};
/**
 * One line of an order.
 */
export type OrderItem = {
    name: string;
    quantity: number;
    /**
     * of one
     */
    price: number | null;
    /**
     * null for a tracking link
     */
    note: string | null;
};
/**
 * One entry of an order's log. Ignore types that you do not know: later servers may have more.
 */
export type OrderEvent = {
    version: number;
    type: "created" | "status_changed" | "reverted" | "courier_assigned" | "eta_changed";
    /**
     * of the order after it
     */
    status: OrderStatus;
    /**
     * when it happened, as the client reported it
     */
    at: string;
    /**
     * when it was recorded
     */
    recorded_at: string;
    actor: string;
    reason: string | null;
    /**
     * statuses that were skipped
     */
    skipped?: OrderStatus[] | undefined;
    courier_id?: string | undefined;
    /**
     * the version that this event undoes
     */
    undoes?: number | undefined;
    /**
     * the expected arrival from now on
     */
    eta?: ArrivalWindow | undefined;
};
/**
 * The state of an order. PROTOCOL.md says what each field means. Later servers may have more fields.
 */
export type Order = {
    id: number;
    /**
     * null for a tracking link
     */
    reference: string | null;
    /**
     * null for a tracking link
     */
    customer_id: string | null;
    restaurant_id: string;
    restaurant_name: string | null;
    courier_id: string | null;
    status: OrderStatus;
    items: OrderItem[];
    total: number | null;
    currency: string | null;
    /**
     * null for a tracking link
     */
    address: string | null;
    /**
     * null for a tracking link
     */
    note: string | null;
    version: number;
    created_at: string;
    updated_at: string;
    /**
     * all events, oldest first
     */
    timeline: OrderEvent[];
    cancellation: {
        by: string;
        reason: string | null;
    } | null;
    /**
     * null when none was given at creation
     */
    eta: OrderEta | null;
};
/**
 * The detail of `update`. `first`: the first one of this tracker. `reset`: the server's history was replaced, discard
 * what you derived from earlier updates. `order.timeline` has all events, `events` those since the last update.
 */
export type OrderUpdate = {
    order: Order;
    events: OrderEvent[];
    reset: boolean;
    reason: string;
    first: boolean;
};
/**
 * The detail of `update` of a feed: the changed orders, and the ids of those that left it (another courier has them).
 */
export type OrdersUpdate = {
    orders: Order[];
    left: number[];
    reset: boolean;
    reason: string;
    first: boolean;
};
/**
 * Replacements for globals. null switches one off.
 */
export type Platform = {
    fetch?: ((url: string, options: any) => Promise<any>) | undefined;
    /**
     * page visibility
     */
    document?: any;
    /**
     * events `pageshow`, `online`, `offline`
     */
    window?: any;
    /**
     * `onLine`, `connection`, `getBattery`
     */
    navigator?: any;
    /**
     * remembers learned holds
     */
    storage?: {
        getItem(key: string): string | null;
        setItem(key: string, value: string): void;
    } | null | undefined;
    setTimeout?: ((run: () => void, ms: number) => any) | undefined;
    clearTimeout?: ((timer: any) => void) | undefined;
    /**
     * milliseconds of a clock that never goes back
     */
    now?: (() => number) | undefined;
    random?: (() => number) | undefined;
};
/**
 * An `AbortSignal`.
 */
export type Signal = {
    readonly aborted: boolean;
    addEventListener(type: "abort", listener: () => void, options?: any): void;
};
/**
 * The options of every tracker.
 */
export type Options = {
    /**
     * address of the server; not needed on its own pages
     */
    url?: string | undefined;
    /**
     * bearer token, or a function that is called before each request
     */
    token?: string | (() => string | Promise<string>) | undefined;
    /**
     * default `live`; `auto`: `live`, with sleep where it costs less while the device saves data or power
     */
    mode?: Mode | undefined;
    /**
     * stops the tracker
     */
    signal?: Signal | undefined;
    /**
     * durations, for tests
     */
    pace?: Partial<Pace> | undefined;
    /**
     * a poll ends an older one with the same id; random by default
     */
    clientId?: string | undefined;
    platform?: Platform | undefined;
};
/**
 * With `customer` all orders of that customer on a page share one poll.
 */
export type OrderOptions = Options & {
    customer?: string | number;
    cursor?: string;
};
/**
 * `link`: the URL of a tracking link, such as `https://orders.example.com/t/otl_...`.
 */
export type LinkOptions = Options & {
    link: string;
    customer?: undefined;
    cursor?: string;
};
/**
 * One of `customer`, `restaurant` and `courier`.
 */
export type FeedOptions = Options & {
    customer?: string | number;
    restaurant?: string | number;
    courier?: string | number;
};
/**
 * The details of all events.
 */
export type Details<Detail> = {
    update: Detail;
    connection: {
        state: Connection;
        retryInSeconds?: number;
    };
    error: {
        error: import("./tracker.js").TrackerError;
    };
    end: {
        error?: import("./tracker.js").TrackerError;
    };
};
/**
 * A `CustomEvent`, without the types of browsers, which Node.js does not have.
 */
export type TrackerEvent<Detail> = {
    readonly type: string;
    readonly detail: Detail;
};
/**
 * `handleEvent` is a method, so that a function whose parameter is a `CustomEvent` has its type too.
 */
export type Listener<Detail> = {
    handleEvent(event: TrackerEvent<Detail>): void;
};
/**
 * The detail of `update` of a tracker, which is what iterating over it yields.
 */
export type DetailOf<Tracker> = Tracker extends AsyncIterable<infer Detail> ? Detail : never;
/**
 * The type of an event's listener; any listener where a tracker is used as an `EventTarget`.
 */
export type ListenerOf<Tracker, Type extends keyof Details<unknown>> = unknown extends Tracker ? any : Listener<Details<DetailOf<Tracker>>[Type]>["handleEvent"] | Listener<Details<DetailOf<Tracker>>[Type]> | null;
/**
 * An event target that knows the types of its events. It has no type parameter: tsc loses that of a base class which is cast.
 */
export type Target = {
    addEventListener<Tracker, Type extends keyof Details<unknown>>(this: Tracker, type: Type, listener: ListenerOf<Tracker, Type>, options?: boolean | {
        once?: boolean;
        signal?: Signal;
    }): void;
    removeEventListener<Tracker, Type extends keyof Details<unknown>>(this: Tracker, type: Type, listener: ListenerOf<Tracker, Type>): void;
    dispatchEvent(event: any): boolean;
};
