/**
 * Keeps the tracking page's files and the last state of the pages that were visited, for use without a connection.
 * The network comes first; polls and everything else are never kept.
 */

const VERSION = 1;
const FILES = `ordertrack-files-${VERSION}`;
const PAGES = `ordertrack-pages-${VERSION}`;
const MANIFEST = '/pages/manifest.webmanifest';
const MAX_PAGES = 20;
const DEADLINE_MS = 3000;
const REFUSALS = [401, 403, 404, 410];

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith('ordertrack-') && ![FILES, PAGES].includes(name)) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('fetch', (event) => {
  const name = cacheOf(event.request);
  if (new URL(event.request.url).pathname === MANIFEST) event.respondWith(manifest(event));
  else if (name) event.respondWith(answer(event, name));
});

/** A page asks for itself and its files: the first visit loads them before this worker runs. */
self.addEventListener('message', (event) => {
  const { page, files } = event.data;
  event.waitUntil(
    Promise.allSettled([
      load(new Request(page, { headers: { Accept: 'text/html' }, credentials: 'same-origin' }), PAGES),
      ...files.map((file) => loadOnce(file)),
    ]),
  );
});

/** @returns {string|undefined} the cache of a request; undefined for those that are left to the browser */
function cacheOf({ method, mode, url }) {
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== self.location.origin) return undefined;
  if (/^\/(sdk|pages)\//.test(pathname)) return FILES;
  return mode === 'navigate' && /^\/(t|orders)\/[^/]+$/.test(pathname) ? PAGES : undefined;
}

/** The network's response, or the kept one when there is none within the deadline. */
async function answer(event, name) {
  const loading = load(event.request, name);
  event.waitUntil(loading.catch(() => {}));
  const kept = await (await caches.open(name)).match(keyOf(event.request, name), { ignoreVary: true });
  if (!kept) return loading;
  return Promise.race([loading.catch(() => kept), after(DEADLINE_MS, kept)]);
}

/** The manifest with the page that loads it as the start, so that the installed page opens the same order. */
async function manifest(event) {
  const response = await answer(event, FILES);
  const client = await self.clients.get(event.clientId);
  if (!client || !response.ok) return response;
  return Response.json({ ...(await response.json()), start_url: new URL(client.url).pathname }, { headers: response.headers });
}

/** A page is kept once, with the parameters of its last visit: others would stay when its link is gone. */
function keyOf(request, name) {
  return name === PAGES ? new URL(request.url).pathname : request;
}

async function load(request, name) {
  const response = await fetch(request);
  const cache = await caches.open(name);
  const key = keyOf(request, name);
  if (response.ok) {
    await cache.delete(key, { ignoreVary: true });
    await cache.put(key, response.clone());
    const kept = await cache.keys();
    if (name === PAGES) for (const old of kept.slice(0, -MAX_PAGES)) await cache.delete(old);
  } else if (REFUSALS.includes(response.status)) {
    await cache.delete(key, { ignoreVary: true });
  }
  return response;
}

async function loadOnce(file) {
  if (!(await (await caches.open(FILES)).match(file, { ignoreVary: true }))) await load(new Request(file), FILES);
}

function after(ms, value) {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}
