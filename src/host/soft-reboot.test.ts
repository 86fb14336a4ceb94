import { expect, test } from "vitest";
import type { Deployment } from "./deployment.ts";
import {
  decideSoftRebootLack,
  decideSoftRebootObstacle,
  type SoftRebootFacts,
} from "./soft-reboot.ts";

const BOOTED = { bootChecksum: "kernel", bootOptions: "rw ostree=a" } as Deployment;
const OTHER = { ...BOOTED, bootOptions: "rw ostree=b" };

/** A host that has everything; what was asked, in order. */
function host(changes: Partial<Record<keyof SoftRebootFacts, boolean>> = {}) {
  const asked: string[] = [];
  const answer = (name: keyof SoftRebootFacts) => {
    asked.push(name);
    return Promise.resolve(changes[name] ?? true);
  };
  const facts: SoftRebootFacts = {
    hasTarget: () => answer("hasTarget"),
    ostree: async () => {
      const isNew = await answer("ostree");
      return { version: isNew ? "2026.4" : "2022.7", isAtLeast: () => isNew };
    },
    usesComposefs: () => answer("usesComposefs"),
    hasSamePolicy: () => answer("hasSamePolicy"),
  };
  return { facts, asked };
}

test.each([
  { what: "everything is there", changes: {}, want: undefined },
  {
    what: "no composefs",
    changes: { usesComposefs: false },
    want: "it does not run from composefs",
  },
  { what: "an old systemd", changes: { hasTarget: false }, want: "systemd is older than 254" },
  { what: "an old ostree", changes: { ostree: false }, want: "ostree 2022.7 is older than 2025.3" },
  {
    what: "another policy",
    changes: { hasSamePolicy: false },
    want: "its SELinux policy is different",
  },
])("a host with $what", async ({ changes, want }) => {
  expect(await decideSoftRebootObstacle(BOOTED, OTHER, host(changes).facts)).toBe(want);
});

test.each([
  { what: "nothing booted", booted: undefined, target: OTHER },
  { what: "the booted one", booted: BOOTED, target: BOOTED },
  { what: "another kernel", booted: BOOTED, target: { ...OTHER, bootChecksum: "x" } },
  { what: "other arguments", booted: BOOTED, target: { ...OTHER, bootOptions: "ro" } },
])("$what is decided without asking the host", async ({ booted, target }) => {
  const { facts, asked } = host();
  expect(await decideSoftRebootObstacle(booted, target, facts)).toMatch(/^(it|its|the) /);
  expect(asked).toEqual([]);
});

test("a process is started only for what no file decides", async () => {
  const { facts, asked } = host({ usesComposefs: false });
  await decideSoftRebootObstacle(BOOTED, OTHER, facts);
  expect(asked).toEqual(["usesComposefs"]);
  expect(await decideSoftRebootLack(host({ hasTarget: false }).facts)).toBe(
    "systemd is older than 254",
  );
});
