import { expect, test } from "vitest";
import { formatMetrics } from "./prometheus.ts";

test("a metric has its help, its type, and a line for each sample", () => {
  const samples = [
    { labels: { rule: 'a"\\\n', step: "b" }, value: 1 },
    { value: 0.5 },
    { value: Number.NaN },
  ];
  expect(formatMetrics([{ name: "n", help: "What it is.", type: "gauge", samples }])).toBe(
    '# HELP n What it is.\n# TYPE n gauge\nn{rule="a\\"\\\\\\n",step="b"} 1\nn 0.5\nn NaN\n',
  );
});

test("a metric without samples is announced", () => {
  const metric = { name: "n", help: "What it is.", type: "counter", samples: [] } as const;
  expect(formatMetrics([metric])).toBe("# HELP n What it is.\n# TYPE n counter\n");
});
