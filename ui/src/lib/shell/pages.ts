import type { Component } from 'svelte';
import DashboardPage from '../../pages/DashboardPage.svelte';
import ForecastPage from '../../pages/ForecastPage.svelte';
import HistoryPage from '../../pages/HistoryPage.svelte';
import ModelsPage from '../../pages/ModelsPage.svelte';
import PredictPage from '../../pages/PredictPage.svelte';
import TrendsPage from '../../pages/TrendsPage.svelte';

export type Page = { path: string; title: string; component: Component };

/** The pages in the order of the navigation and of their digit keys. */
export const PAGES: Page[] = [
  { path: 'dashboard', title: 'Dashboard', component: DashboardPage },
  { path: 'trends', title: 'Trends', component: TrendsPage },
  { path: 'history', title: 'History', component: HistoryPage },
  { path: 'predict', title: 'Predict', component: PredictPage },
  { path: 'forecast', title: 'Forecast', component: ForecastPage },
  { path: 'models', title: 'Models', component: ModelsPage },
];
