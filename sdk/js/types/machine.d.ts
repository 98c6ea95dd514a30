export class Machine {
    /** @param {MachineOptions} options @param {() => number} random */
    constructor({ mode, cursor, clientId, pace, learned }: MachineOptions, random: () => number);
    /** @type {'idle' | 'polling' | 'waiting' | 'paused' | 'ended'} */
    state: "idle" | "polling" | "waiting" | "paused" | "ended";
    /** @type {Connection | null} */
    connection: Connection | null;
    /** @type {Command[]} */
    commands: Command[];
    version: number;
    hasAnswer: boolean;
    failures: number;
    reason: string;
    reasonBefore: string;
    repetitions: number;
    isProbeNext: boolean;
    isHold: boolean;
    isLow: boolean;
    isHidden: boolean;
    isOffline: boolean;
    id: number;
    nowS: number;
    sentAtS: number;
    tookS: number;
    notBeforeS: number;
    restS: number;
    clientId: string | undefined;
    cursor: string | undefined;
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
         */
        quickS: number;
    };
    hold: Hold;
    isSaver: boolean;
    isSleeping: boolean;
    /** @param {MachineEvent} event @param {number} nowS of a clock that never goes back */
    handle(event: MachineEvent, nowS: number): Command[];
    get isBlocked(): boolean;
    /** @param {Connection} state @param {number} [retryInS] */
    _connect(state: Connection, retryInS?: number): void;
    /** @param {Connection} state @param {Problem} [error] */
    _end(state: Connection, error?: Problem): void;
    _goOn(): void;
    _wait(timerS?: number): void;
    _send(): void;
    _fail(isOffline?: boolean): void;
    _endPoll(): void;
    /** @param {'lost' | 'worked'} how */
    _record(how: "lost" | "worked"): void;
    /** @param {AnswerEvent} event */
    _receive({ status, headers, body }: AnswerEvent): void;
    /** @param {Answer} answer */
    _accept(answer: Answer): void;
    /** @param {Answer} answer @param {boolean} isNews */
    _nextLive({ reset, reason }: Answer, isNews: boolean): void;
    _jitterS(times?: number): number;
    _backOff(isProbe?: boolean, leastS?: number, isOffline?: boolean): void;
}
import type { Connection } from './types.js';
import type { Command } from './types.js';
/** The length of holds. */
declare class Hold {
    /** @param {Pace} pace @param {Learned | null} [learned] */
    constructor(pace: Pace, learned?: Learned | null, limitS?: number);
    longestS: number;
    isDoubted: boolean;
    pace: Pace;
    limitS: number;
    learned: {
        lengthS: number;
        needed: number;
        worked: number;
        lostS: number;
    };
    get lengthS(): number;
    worked(tookS?: number): void;
    /** A first loss that came earlier than other holds ended is no sign of a limit. */
    lost(tookS?: number): void;
}
import type { MachineEvent } from './types.js';
import type { Problem } from './types.js';
import type { AnswerEvent } from './types.js';
import type { Answer } from './types.js';
import type { MachineOptions } from './types.js';
import type { Pace } from './types.js';
import type { Learned } from './types.js';
export {};
