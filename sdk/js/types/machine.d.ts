/** Tracks one order or one feed with one request at a time. */
export class Machine {
    /**
     * @param {{mode?: Mode, feed?: boolean, cursor?: string | null, clientId?: string, pace?: Partial<Pace>, learned?: Learned | null}} options
     * @param {() => number} random gives a number from 0 to 1
     */
    constructor({ mode, feed, cursor, clientId, pace, learned }: {
        mode?: Mode;
        feed?: boolean;
        cursor?: string | null;
        clientId?: string;
        pace?: Partial<Pace>;
        learned?: Learned | null;
    }, random: () => number);
    isFeed: boolean;
    clientId: string | undefined;
    cursor: string | null;
    random: () => number;
    pace: {
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
    hold: Hold;
    isSaver: boolean;
    /** @type {'idle' | 'polling' | 'waiting' | 'paused' | 'ended'} */
    state: "idle" | "polling" | "waiting" | "paused" | "ended";
    /** @type {Connection | null} */
    connection: Connection | null;
    version: number;
    hasAnswer: boolean;
    failures: number;
    isProbeNext: boolean;
    reason: string;
    reasonBefore: string;
    repetitions: number;
    isHidden: boolean;
    isOffline: boolean;
    notBeforeS: number;
    id: number;
    isHold: boolean;
    sentAtS: number;
    restS: number;
    nowS: number;
    /** @type {Command[]} */
    commands: Command[];
    /** Process an event at a time of a clock that never goes back. @param {MachineEvent} event @param {number} nowS */
    handle(event: MachineEvent, nowS: number): Command[];
    /** @param {MachineEvent} event */
    _process(event: MachineEvent): void;
    /** @param {Command} command */
    _do(command: Command): void;
    /** @param {Connection} state @param {number} [retryInS] */
    _connect(state: Connection, retryInS?: number): void;
    /** @param {Connection} state @param {Problem} [error] */
    _end(state: Connection, error?: Problem): void;
    /** Begin, or continue after a pause. */
    _goOn(): void;
    _pause(): void;
    /** @param {number} seconds */
    _wait(seconds: number): void;
    _send(): void;
    /** @param {boolean} [isOffline] */
    _fail(isOffline?: boolean): void;
    _endPoll(): number;
    /** @param {'lost' | 'worked'} how @param {number} tookS */
    _record(how: "lost" | "worked", tookS: number): void;
    /** @param {Extract<MachineEvent, {type: 'answer'}>} event */
    _receive({ status, headers, body }: Extract<MachineEvent, {
        type: "answer";
    }>): void;
    /** @param {Answer} answer @param {number} tookS */
    _accept(answer: Answer, tookS: number): void;
    /** @param {Answer} answer */
    _nextSaver({ next_poll_interval: advisedS }: Answer): void;
    /** @param {Answer} answer @param {number} tookS @param {boolean} isNews */
    _nextLive({ reset, reason }: Answer, tookS: number, isNews: boolean): void;
    /** @param {number} times */
    _jitterS(times: number): number;
    /** @param {{retryAfterS?: number, isProbe?: boolean, isOffline?: boolean}} how */
    _backOff({ retryAfterS, isProbe, isOffline }: {
        retryAfterS?: number;
        isProbe?: boolean;
        isOffline?: boolean;
    }): void;
}
/** The length of a hold: doubled after holds that worked, halved after one that was lost. */
declare class Hold {
    /** @param {Pace} pace @param {Learned | null} [learned] */
    constructor(pace: Pace, learned?: Learned | null);
    pace: Pace;
    maxS: number;
    longestS: number;
    isDoubted: boolean;
    /** @type {Learned} */
    learned: Learned;
    get lengthS(): number;
    /** Set the server's limit. @param {unknown} limitS */
    allow(limitS: unknown): void;
    /** Record a hold that ended by its timeout. @param {number} tookS */
    worked(tookS: number): void;
    /** Record a loss. One that came before other holds ended is no sign of a limit, unless it is the second in a row. @param {number} tookS */
    lost(tookS: number): void;
}
import type { Connection } from './types.js';
import type { Command } from './types.js';
import type { MachineEvent } from './types.js';
import type { Problem } from './types.js';
import type { Answer } from './types.js';
import type { Mode } from './types.js';
import type { Pace } from './types.js';
import type { Learned } from './types.js';
export {};
