"use strict";
// Moves the threshold: the line among the scores, the working point on the ROC curve, and the rejected share of each kind.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const slider = document.getElementById("slider");
  const of = (id) => document.getElementById(id);
  const percent = (part, all) => (all ? `${part}/${all}, ${((100 * part) / all).toFixed(1)} %` : "–");
  const show = () => {
    const { value: threshold, x } = data.thresholds[Number(slider.value)];
    const rejected = data.kinds.map((kind) => kind.scores.filter((score) => score > threshold).length);
    data.kinds.forEach((kind, at) => {
      of(`found-${at}`).textContent = percent(rejected[at], kind.scores.length);
      of(`bar-${at}`).style.width = `${kind.scores.length ? (100 * rejected[at]) / kind.scores.length : 0}%`;
    });
    const sum = (defective, count) =>
      data.kinds.reduce((all, kind, at) => all + (kind.defective === defective ? count(kind, at) : 0), 0);
    const [found, defects] = [sum(true, (_, at) => rejected[at]), sum(true, (kind) => kind.scores.length)];
    const [alarms, good] = [sum(false, (_, at) => rejected[at]), sum(false, (kind) => kind.scores.length)];
    of("at-threshold").textContent =
      `Threshold ${threshold.toPrecision(4)}: defects found ${percent(found, defects)}; good parts rejected ${percent(alarms, good)}`;
    for (const end of ["x1", "x2"]) of("threshold").setAttribute(end, x);
    of("threshold-text").setAttribute("x", x);
    of("threshold-text").textContent = `threshold ${threshold.toPrecision(4)}`;
    const [left, wide, bottom, high, most] = data.roc;
    const share = good ? alarms / good : 0;
    of("working-point").setAttribute("cx", left + Math.min(share, most) * wide);
    of("working-point").setAttribute("cy", bottom - (defects ? found / defects : 0) * high);
    of("beyond").textContent = share > most ? "The working point is beyond the end of this curve." : "";
  };
  slider.addEventListener("input", show);
  of("back").addEventListener("click", () => {
    slider.value = data.exported;
    show();
  });
  show();
})();
