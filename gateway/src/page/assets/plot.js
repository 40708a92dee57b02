// The plot of scores, with the threshold and the mean of the last parts, which shows a drift.
const MEAN_OF = 30;
const MARGIN = 48;

export function draw(canvas, parts) {
  const scored = parts.filter((part) => part.score != null);
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (scored.length === 0) return;
  const threshold = scored.at(-1).threshold;
  const values = scored.map((part) => part.score).concat(threshold ?? []).sort((a, b) => a - b);
  // A single score far away must not press all others flat.
  const low = values[0];
  const high = Math.max(threshold ?? -Infinity, values[Math.floor(0.98 * (values.length - 1))]);
  const span = high - low || 1;
  const y = (value) => height - 16 - ((Math.min(value, high + 0.08 * span) - low) / span) * (height - 48);
  const x = (index) => MARGIN + 8 + (index / Math.max(scored.length - 1, 1)) * (width - MARGIN - 20);

  context.font = "20px system-ui, sans-serif";
  context.fillStyle = context.strokeStyle = "#14202b";
  context.lineWidth = 2;
  context.setLineDash([8, 6]);
  context.beginPath();
  let pen = false;
  scored.forEach((part, index) => {
    if (part.threshold == null) return;
    context[pen ? "lineTo" : "moveTo"](x(index), y(part.threshold));
    pen = true;
  });
  if (scored.length === 1 && pen) context.lineTo(width - 12, y(threshold));
  context.stroke();
  context.setLineDash([]);
  if (threshold != null) context.fillText(threshold.toPrecision(3), 0, y(threshold) + 7);
  context.fillText(low.toPrecision(3), 0, y(low) + 7);

  scored.forEach((part, index) => {
    context.fillStyle = part.disposition === "reject" ? "#b3161b" : "#0b6b3a";
    context.beginPath();
    context.arc(x(index), y(part.score), part.disposition === "reject" ? 5 : 3, 0, 7);
    context.fill();
  });

  context.strokeStyle = "#0a4f8a";
  context.lineWidth = 3;
  context.beginPath();
  let sum = 0;
  scored.forEach((part, index) => {
    sum += Math.min(part.score, high) - (index >= MEAN_OF ? Math.min(scored[index - MEAN_OF].score, high) : 0);
    const mean = sum / Math.min(index + 1, MEAN_OF);
    context[index ? "lineTo" : "moveTo"](x(index), y(mean));
  });
  context.stroke();
}
