import { expect, test } from "vitest";
import { schemaMeaning, upstreamMeaning } from "../../testing/schema-meaning.ts";
import { PROGRESS_SCHEMA } from "./progress.ts";

test("our schema accepts the same as bootc 1.16.9's", async () => {
  const upstream = await upstreamMeaning("bootc-1.16.9-progress-v0");
  expect(schemaMeaning(PROGRESS_SCHEMA)).toEqual(upstream);
});
