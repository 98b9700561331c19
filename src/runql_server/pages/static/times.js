// Times arrive in UTC; a reader wants them in the zone of the browser.
for (const each of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(each.dateTime);
  if (Number.isNaN(moment.valueOf())) continue;
  each.title = each.dateTime;
  each.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
