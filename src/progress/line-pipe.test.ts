import { expect, test } from "vitest";
import { errnoOf } from "../errors.ts";
import { makePipe } from "../testing/pipe.ts";
import { openLinePipe } from "./line-pipe.ts";

const fail = (error: Error) => {
  throw error;
};

test.each([true, false])("lines go out in order and at once, non-blocking: %s", async (it) => {
  const { writer, drain } = makePipe({ isNonblocking: it });
  const pipe = openLinePipe(writer, { onBroken: fail });
  for (let i = 0; i < 3; i++) pipe.write({ text: String(i), isSnapshot: false });
  expect(await pipe.finish(60_000)).toBe(true);
  expect(drain()).toBe("0\n1\n2\n");
});

test.each([true, false])(
  "a full pipe stops nobody, and of snapshots the last one waits, non-blocking: %s",
  async (isNonblocking) => {
    const { writer, fill, drain } = makePipe({ isNonblocking });
    fill();
    const pipe = openLinePipe(writer, { onBroken: fail });
    const begin = { text: "start", isSnapshot: false };
    const snapshots = Array.from({ length: 10_000 }, (_, i) => ({
      text: `snapshot ${i}`,
      isSnapshot: true,
    }));
    const end = { text: "end", isSnapshot: false };
    for (const line of [begin, ...snapshots, end, ...snapshots.slice(0, 2)]) pipe.write(line);
    drain();
    expect(await pipe.finish(60_000)).toBe(true);
    expect(drain()).toBe("start\nsnapshot 9999\nend\nsnapshot 1\n");
  },
);

test("a reader that takes nothing is finally abandoned", async () => {
  const { writer, fill, drain } = makePipe({ isNonblocking: true });
  fill();
  const pipe = openLinePipe(writer, { onBroken: fail });
  pipe.write({ text: "lost", isSnapshot: false });
  expect(await pipe.finish(1)).toBe(false);
  expect(drain()).not.toContain("lost");
});

test.each([
  { when: "before the first line", before: 0 },
  { when: "between two", before: 1 },
])("a reader that goes $when is reported once, and is not a failure", async ({ before }) => {
  const { writer, leave } = makePipe({ isNonblocking: true });
  const told: string[] = [];
  const pipe = openLinePipe(writer, { onBroken: (it) => told.push(errnoOf(it) ?? "") });
  for (let i = 0; i < before; i++) pipe.write({ text: "x", isSnapshot: false });
  leave();
  for (let i = 0; i < 3; i++) pipe.write({ text: "y", isSnapshot: false });
  expect(await pipe.finish(60_000)).toBe(true);
  expect(told).toEqual([before === 0 ? "ENXIO" : "EPIPE"]);
});
