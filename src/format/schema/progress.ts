// The schema of one line of the progress stream, as `internals print-json-schema --of progress` prints it.
import { DRAFT, list, object, type Schema, text, whole } from "./builder.ts";

const COUNT = "uint64";

const TASK: Readonly<Record<string, Schema>> = {
  task: text("The task, for programs: `pulling`, `importing`, `staging`"),
  description: text("The same for people"),
  id: text("Which task: the digest of the image, or the task's name when there is only one"),
};

const STEPS: Readonly<Record<string, Schema>> = {
  stepsCached: whole("Steps that an earlier run has done", COUNT),
  steps: whole("Steps done", COUNT),
  stepsTotal: whole("Steps in all, such as layers", COUNT),
};

const BYTES: Readonly<Record<string, Schema>> = {
  bytesCached: whole("Bytes that an earlier run has fetched", COUNT),
  bytes: whole("Bytes fetched", COUNT),
  bytesTotal: whole("Bytes in all; 0 when the number is not known", COUNT),
};

const SUBTASK: Readonly<Record<string, Schema>> = {
  subtask: text("The kind of part, for programs"),
  description: text("The same for people"),
  id: text("Which part, such as the start of a layer's digest"),
};

function event(
  description: string,
  type: string,
  fields: Readonly<Record<string, Schema>>,
): Schema {
  const properties = { type: { type: "string", const: type }, ...fields };
  return object(description, properties, Object.keys(properties));
}

export const PROGRESS_SCHEMA: Schema = {
  $schema: DRAFT,
  title: "Event",
  description: "One line of the stream written to `--progress-fd`",
  oneOf: [
    event("The first line", "Start", { version: text("The version of the protocol") }),
    event("The progress of a download", "ProgressBytes", {
      ...TASK,
      ...BYTES,
      ...STEPS,
      subtasks: list("Its parts that have begun", "SubTaskBytes"),
    }),
    event("The progress of work that is counted in steps", "ProgressSteps", {
      ...TASK,
      ...STEPS,
      subtasks: list("Its parts that have begun", "SubTaskStep"),
    }),
  ],
  $defs: {
    SubTaskBytes: object(
      "A part of a download, done when `bytes` equals `bytesTotal`",
      { ...SUBTASK, ...BYTES },
      ["subtask", "description", "id", "bytesCached", "bytes", "bytesTotal"],
    ),
    SubTaskStep: object(
      "A part of work that is counted in steps",
      {
        ...SUBTASK,
        completed: { description: "Whether it is done", type: "boolean" },
      },
      ["subtask", "description", "id", "completed"],
    ),
  },
};
