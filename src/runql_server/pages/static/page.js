// What the scripts of charts share: names that anybody may have chosen, colours of the page, and its renewal.
// Milliseconds between two looks at what is new.
const POLL = Number(document.documentElement.dataset.poll);

// As the server shows names: without controls, without marks that turn the direction, and not too long.
export const short = (name, longest = 60) => {
  const cut = name.length > longest ? `${name.slice(0, longest)}…` : name;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\uFFFD");
};
// Plotly reads tags and entities in every string.
export const plain = (name, longest) => short(name, longest).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
export const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const whenSchemeChanges = (act) => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", act);

async function renewed() {
  // What is no curve comes with the page itself.
  const response = await fetch(location.href);
  if (!response.ok) return null;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  showLocalTimes(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${CSS.escape(old.dataset.live)}"]`);
    if (next && next.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(next));
  }
  return fresh;
}

// While something runs and somebody looks, the page renews itself.
export function keepUp(isRunning, act) {
  const round = async () => {
    if (!document.hidden && isRunning()) {
      try {
        const fresh = await renewed();
        if (fresh) await act(fresh);
      } catch { /* The server is away: the next round tries again. */ }
    }
    setTimeout(round, POLL);
  };
  setTimeout(round, POLL);
}
