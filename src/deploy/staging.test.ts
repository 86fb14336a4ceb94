import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import { namedDeploymentDir } from "../sysroot/paths.ts";
import { readStagedDeployment } from "../sysroot/staged.ts";
import { machineOf } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { stage } from "./staging.ts";

test("whatever ends the rest, the error says that something is staged", async () => {
  const { root } = await machineOf("2025.2");
  const staged = await readStagedDeployment(scriptedContext(root, []).ctx);
  if (staged === undefined) throw new Error("unreachable");
  const etc = join(namedDeploymentDir(join(root, "sysroot"), staged), "etc");
  await mkdir(join(etc, "selinux"), { recursive: true });
  await writeFile(join(etc, "selinux/config"), "SELINUXTYPE=targeted\n");
  const { stateroot, name } = staged;
  const [commit = ""] = name.split(".");
  const listed = ["", "/selinux", "/selinux/config"].map((it) => etc.replace(root, "ROOT") + it);
  const { ctx } = scriptedContext(root, [
    [
      `+ ostree admin deploy --stage --os=${stateroot} --origin-file=TMP/origin --lock-finalization ${commit}`,
    ],
    [
      `? ls --directory -U --context --quoting-style=c -- ${listed.join(" ")}`,
      new BootcError("interrupted", { hint: "run it again to carry on" }),
    ],
  ]);
  const request = { stateroot, commit, origin: "", kargs: undefined, isLocked: true };
  expect(await stage(ctx, request).catch(describeError)).toMatchObject({
    message: "completing what is staged",
    causes: ["interrupted"],
    hint: "run it again to carry on",
  });
});
