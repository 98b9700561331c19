// Times arrive in UTC; a reader wants them in the zone of the browser.
globalThis.showLocalTimes = (root) => {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    each.title = each.dateTime;
    each.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
};
showLocalTimes(document);
