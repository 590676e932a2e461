//! Parent orders and the router for Python: conversion between people's units and the engine's.

pub mod models;
pub mod parent;
pub mod plan;
pub mod routes;
