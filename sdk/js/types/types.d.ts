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
     *
     * A learned hold: the next length, the completed holds before it grows and how many of them were seen, and the longest
     * length that was lost.
     */
    quickS: number;
};
/**
 * Durations in seconds.
 */
export type Learned = {
    lengthS: number;
    needed: number;
    worked: number;
    lostS: number;
};
/**
 * Durations in seconds.
 */
export type Mode = "live" | "saver" | "auto";
/**
 * Durations in seconds.
 */
export type MachineOptions = {
    mode?: Mode;
    cursor?: string;
    clientId?: string;
    pace?: Partial<Pace>;
    learned?: Learned | null;
};
/**
 * Durations in seconds.
 */
export type Connection = "connecting" | "live" | "reconnecting" | "offline" | "paused" | "ended" | "stopped" | "refused";
/**
 * Durations in seconds.
 */
export type Answer = {
    [name: string]: any;
    cursor: string;
    data: any;
    reset?: boolean;
    reason?: string;
};
/**
 * Durations in seconds.
 */
export type Problem = {
    status?: number;
    code: string;
    message: string;
};
/**
 * Durations in seconds.
 */
export type AnswerEvent = {
    type: "answer";
    id: number;
    status: number;
    headers?: Record<string, string>;
    body: string;
};
/**
 * `timerS` replaces the timer: `timer` must follow after so many seconds. `cancel` ends the request and the timer.
 */
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
 * Durations in seconds.
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
export type Order = {
    [name: string]: any;
    id: number;
    status: string;
    version: number;
};
/**
 * The detail of `update`. `first`: the first one of this tracker. `reset`: the server's history was replaced, discard
 * what you derived from earlier updates. `order.timeline` has all events, `events` those since the last update.
 */
export type OrderEvent = {
    [name: string]: any;
    version: number;
    type: string;
    status: string;
};
/**
 * The detail of `update` of a feed: the changed orders, and the ids of those that left it (another courier has them).
 */
export type OrderUpdate = {
    order: Order;
    events: OrderEvent[];
    reset: boolean;
    reason: string;
    first: boolean;
};
/**
 * Replacements for globals. null switches one off.
 */
export type OrdersUpdate = {
    orders: Order[];
    left: number[];
    reset: boolean;
    reason: string;
    first: boolean;
};
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
    signal?: AbortSignal | undefined;
    /**
     * durations, for tests
     */
    pace?: Partial<Pace> | undefined;
    /**
     * a poll ends an older one with the same id; random by default
     */
    clientId?: string | undefined;
    /**
     * With `customer` all orders of that customer on a page share one poll.
     */
    platform?: Platform | undefined;
};
export type OrderOptions = Options & {
    customer?: string | number;
    cursor?: string;
};
export type LinkOptions = Options & {
    link: string;
    customer?: undefined;
    cursor?: string;
};
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
 * An event target that knows the types of its events.
 */
export type Target<Detail> = {
    addEventListener<Type extends keyof Details<Detail>>(type: Type, listener: ((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
    removeEventListener<Type extends keyof Details<Detail>>(type: Type, listener: ((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null): void;
    dispatchEvent(event: Event): boolean;
};
