// Shows at once that the session was ended elsewhere; without scripts the next click shows it.
if (document.body.dataset.live) {
  const events = new EventSource("/live");
  events.addEventListener("ended", () => {
    events.close();
    location.replace("/?ended");
  });
}
