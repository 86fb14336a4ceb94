import { expect, test } from "vitest";
import type { Context } from "../system/context.ts";
import { createContext } from "../system/run.ts";
import { machineOf, makeInterrupt } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { findUnlabelled, readLabels, setLabels } from "./selinux.ts";

const LS = "? ls --directory -U --context --quoting-style=c --";

test("a file that refuses its label keeps no other from its own", async () => {
  const refusal = new Error("changing security context of '/etc/resolv.conf': not permitted");
  const { ctx, requireAllUsed } = scriptedContext("/nowhere", [
    ["+ chcon --no-dereference net_conf_t /etc/resolv.conf", refusal],
    ["+ chcon --no-dereference etc_t /etc/a /etc/b"],
  ]);
  const labels = [
    { file: "/etc/resolv.conf", label: "net_conf_t" },
    { file: "/etc/a", label: "etc_t" },
    { file: "/etc/b", label: "etc_t" },
  ];
  await expect(setLabels(ctx, labels)).rejects.toBe(refusal);
  requireAllUsed();
});

test("an interruption is not taken for one more refusal", async () => {
  const machine = await machineOf("2025.2");
  const interrupt = await makeInterrupt(machine, {});
  const { ctx, requireAllUsed } = scriptedContext(machine.root, [
    ["+ chcon --no-dereference net_conf_t /etc/resolv.conf", new Error("not permitted")],
    ["+ chcon --no-dereference etc_t /etc/a", interrupt.now],
  ]);
  const labels = [
    { file: "/etc/resolv.conf", label: "net_conf_t" },
    { file: "/etc/a", label: "etc_t" },
  ];
  await expect(setLabels(interrupt.of(ctx), labels)).rejects.toThrow("interrupted");
  requireAllUsed();
});

test("a program that is missing is not asked again", async () => {
  const ctx = createContext({ env: { PATH: "/nonexistent" } });
  const started: string[] = [];
  const counting: Context = {
    ...ctx,
    run: async (program, args) => {
      started.push(program);
      await ctx.run(program, args);
    },
  };
  const labels = ["a", "b"].map((it) => ({ file: `/nonexistent/${it}`, label: it }));
  await expect(setLabels(counting, labels)).rejects.toThrow("`chcon`: not found");
  expect(started).toEqual(["chcon"]);
});

test("labels are read, and files without one found, whether SELinux is on or off", async () => {
  const shown = "u:o:etc_t:s0 /a\n? /b\nsystem_u:object_r:unlabeled_t:s0 /c\n";
  const files = ["/a", "/b", "/c"];
  const { ctx } = scriptedContext("/nowhere", [
    [`${LS} /a /b /c`, shown],
    [`${LS} /a /b /c`, shown],
  ]);
  expect([...(await readLabels(ctx, files))]).toEqual([["/a", "u:o:etc_t:s0"]]);
  expect([...(await findUnlabelled(ctx, files))]).toEqual(["/b", "/c"]);
});
