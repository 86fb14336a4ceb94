// Started by a test to be killed: pulls IMAGE into REPO as a verb does that is going to deploy it, says so, and
// waits for ever.
import { parseOstreeReference } from "../../src/image/reference.ts";
import { planPull } from "../../src/pull/plan/plan.ts";
import { pullImage } from "../../src/pull/pull.ts";
import { withProtection } from "../../src/repository/protection.ts";
import { createContext } from "../../src/system/run.ts";

const [, , repo = "", image = ""] = process.argv;
const ctx = createContext();
const reference = parseOstreeReference(`ostree-unverified-image:${image}`);
await withProtection(ctx, repo, async (protection) => {
  const plan = await planPull(ctx, { repo, reference, requiresBootable: false });
  await pullImage(ctx, plan, { protection });
  process.stdout.write("protected\n");
  setInterval(() => {}, 60_000);
  await new Promise(() => {});
});
