declare namespace _default {
    let confirmed: string;
    let preparing: string;
    let ready: string;
    let picked_up: string;
    let delivered: string;
    let cancelled: string;
    let unknown: string;
    let done: string;
    let skipped: string;
    let missing: string;
}
export default _default;
