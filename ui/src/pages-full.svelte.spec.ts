import { describe } from "vitest";
import { restart } from "./ipc/fake";
import { axeFindsNothing } from "./test-pages";

describe("with the scene full", () => axeFindsNothing(() => restart("full")));
