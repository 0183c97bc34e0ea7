// A fetch handler, as for any server of JavaScript's. Its engine serves one request
// in an instance's life.
addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  event.respondWith(new Response(`hello ${url.pathname} from JavaScript\n`));
});
