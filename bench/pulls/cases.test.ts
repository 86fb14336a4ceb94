import { expect, test } from "vitest";
import { PULLS, TARGETS } from "./cases.ts";

test("every case of the page of figures can be asked for by name", () => {
  expect(TARGETS.filter((name) => PULLS[name] === undefined)).toEqual([]);
});
