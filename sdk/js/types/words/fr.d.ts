declare namespace _default {
    namespace headline {
        let confirmed: string;
        let preparing: string;
        let ready: string;
        let picked_up: string;
        let delivered: string;
        let cancelled: string;
        let unknown: string;
    }
    namespace step {
        let confirmed_1: string;
        export { confirmed_1 as confirmed };
        let preparing_1: string;
        export { preparing_1 as preparing };
        let ready_1: string;
        export { ready_1 as ready };
        let picked_up_1: string;
        export { picked_up_1 as picked_up };
        let delivered_1: string;
        export { delivered_1 as delivered };
        let cancelled_1: string;
        export { cancelled_1 as cancelled };
    }
    namespace state {
        let done: string;
        let current: string;
        let next: string;
        let skipped: string;
    }
    namespace eta {
        let expected: string;
        let due: string;
        let overdue: string;
        let arrived: string;
        let planned: string;
    }
    namespace notice {
        export let cancelled_restaurant: string;
        export let cancelled_customer: string;
        export let cancelled_courier: string;
        export let cancelled_other: string;
        export let was_picked_up: string;
        export let contact: string;
        export let reason: string;
        export let undone: string;
        export let restored: string;
        export let courier_replaced: string;
        export let late: string;
        let due_1: string;
        export { due_1 as due };
        let overdue_1: string;
        export { overdue_1 as overdue };
        export let delivered_late: string;
    }
    namespace connection {
        let connecting: string;
        let live: string;
        let reconnecting: string;
        let offline: string;
        let ended: string;
        let back: string;
        let checked: string;
    }
    namespace updated {
        let ago: string;
        let now: string;
    }
    namespace problem {
        export let gone: string;
        let unknown_1: string;
        export { unknown_1 as unknown };
    }
}
export default _default;
