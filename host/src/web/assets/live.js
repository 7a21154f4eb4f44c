// Keeps the part of a page that is marked data-live up to date, and loads the whole page anew once there is nothing left to
// watch. Without scripts the page refreshes itself instead (see run.html).
(() => {
  "use strict";
  const part = document.querySelector("[data-live]");
  if (!part) return;

  const look = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
      // Over, or logged out: the page itself knows what to say.
      if (answer.status === 401 || answer.headers.get("x-over") === "yes") {
        location.reload();
        return;
      }
      if (answer.ok) part.innerHTML = await answer.text();
    } catch {
      // The host is being restarted, or the network is away: the next look will tell.
    }
    setTimeout(look, 1000);
  };

  setTimeout(look, 1000);
})();
