import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { PROGRESS_SCHEMA } from "../format/schema/progress.ts";
import { EVENTS, follow } from "../testing/pull-events.ts";
import { createProgressStream } from "./json.ts";
import { NO_PROGRESS } from "./progress.ts";

test("programs get a stream that follows the published schema and starts once", () => {
  const stream = createProgressStream();
  const lines = follow(EVENTS).flatMap(({ event, progress }, i) =>
    stream.next(event, progress, i * 1000),
  );
  const validate = new Ajv2020({ strict: false, formats: { uint64: true } }).compile(
    PROGRESS_SCHEMA,
  );
  const documents = lines.map((it) => JSON.parse(it.text));
  for (const it of documents) expect([validate(it), it]).toEqual([true, it]);
  expect(documents[0]).toEqual({ type: "Start", version: "0.1.0" });
  expect(documents.filter((it) => it.task === "staging").map((it) => it.steps)).toEqual([
    0, 1, 1, 2, 3,
  ]);
  expect(documents.filter((it) => it.type === "Start")).toHaveLength(1);
});

test("the stages after a pull are those of bootc 1.x", () => {
  const stream = createProgressStream();
  const lines = follow(EVENTS).flatMap(({ event, progress }, i) =>
    stream.next(event, progress, i * 1000),
  );
  const documents = lines.map((it) => JSON.parse(it.text));
  const staging = documents.filter((it) => it.task === "staging");
  expect(new Set(staging.map((it) => it.id))).toEqual(new Set([`sha256:${"f".repeat(64)}`]));
  const subtasks = staging
    .at(-1)
    .subtasks.map(
      (it: { readonly subtask: string; readonly completed: boolean }) =>
        `${it.subtask} ${it.completed}`,
    );
  expect(subtasks).toEqual([
    ...["merging true", "deploying true", "bound_images true", "cleanup true", "cleanup true"],
  ]);
});

test("bytes are reported at most five times per second", () => {
  const stream = createProgressStream();
  const events = Array.from(
    { length: 100 },
    (_, i) => ({ type: "fetched-bytes", bytes: i }) as const,
  );
  const lines = events.flatMap((it, i) => stream.next(it, NO_PROGRESS, i * 10));
  expect(lines).toHaveLength(1 + 5);
});
