// The live feed: Server-Sent Events. A broken connection is the browser's to mend: it comes back with the
// id of the last batch it saw and gets what it missed. So only silence means trouble.

const SILENCE_MS = 12_000; // the server gives a sign of life every 5 s
const REOPEN_MS = 2_000;

export function listen(url, { slice, link }) {
  let heard = Date.now();
  let source = null;

  const open = () => {
    source = new EventSource(url);
    source.onmessage = (event) => {
      heard = Date.now();
      const data = JSON.parse(event.data);
      if (data.are_brokers_up) link("live", "live");
      else link("waiting", "waiting for a broker");
      slice(data);
    };
  };

  open();
  setInterval(() => {
    const isClosed = source.readyState === EventSource.CLOSED; // an answer other than 200
    if (Date.now() - heard < SILENCE_MS && !isClosed) return;
    link("down", "dashboard does not answer");
    if (isClosed) open();
  }, REOPEN_MS);
}
