// What `bootc updates run` does before it reboots, as a program for the booted system of a test.
import { copyKernelEarly } from "../../src/deploy/shutdown/early-kernel.ts";
import { postponeRemoval } from "../../src/deploy/shutdown/postpone-removal.ts";
import { createContext } from "../../src/system/run.ts";

const ctx = createContext();
await copyKernelEarly(ctx);
await postponeRemoval(ctx);
