//! Start-up of the window.
import { mount } from "svelte";
import App from "./App.svelte";
import "./styles/app.css";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has an element #app");

mount(App, { target });
