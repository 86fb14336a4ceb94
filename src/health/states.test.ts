import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decideHealth, drawStates, HEALTH_EVENTS, type HealthState, STATES } from "./states.ts";

const reach = (from: HealthState, ...events: (typeof HEALTH_EVENTS)[number][]) =>
  events.map((event) => {
    const { next, action } = decideHealth(from, event);
    from = next;
    return action;
  });

test("a system that proves itself is started once", () => {
  expect(reach("none", "deployed", "starts-new", "good")).toEqual(["arm", "watch", "bless"]);
});

test.each(["bad", "overdue", "starts-new-too-often"] as const)("%s: back, and told of", (event) => {
  const actions = reach("none", "deployed", "starts-new", event, "starts-old", "good");
  expect(actions).toEqual(["arm", "watch", "go-back", "settle", "report"]);
});

test("a system that never comes as far as its own start is told of as well", () => {
  expect(reach("none", "deployed", "starts-old", "good")).toEqual(["arm", "settle", "report"]);
});

test("the old system stays even if it is not healthy either", () => {
  expect(reach("returned", "bad", "bad", "bad", "starts-old")).toEqual([
    ...["report", "report", "report"],
    "nothing",
  ]);
});

test("whatever happens, a system goes back only while it is on trial", () => {
  for (const state of STATES) {
    for (const event of HEALTH_EVENTS) {
      const { action } = decideHealth(state, event);
      if (action === "go-back") expect(["armed", "trying", "returning"]).toContain(state);
      // Only a start counts against a system that is going back already, and starts are limited.
      if (action === "go-back" && state === "returning") expect(event).toBe("starts-new");
    }
  }
});

test("without a new update, a machine that goes back comes to rest", () => {
  const others = HEALTH_EVENTS.filter((it) => it !== "deployed" && it !== "starts-new");
  fc.assert(
    fc.property(
      fc.constantFrom(...STATES),
      fc.array(fc.constantFrom(...others)),
      (from, events) => {
        const count = reach(from, ...events).filter((it) => it === "go-back").length;
        expect(count).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("the drawing on the page is that of the table", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/health.md"), "utf8");
  expect(page).toContain(`\`\`\`mermaid\n${drawStates()}\n\`\`\``);
});
