{{ config(materialized='incremental', refreshed_by='month', refreshed_on='discharge_month') }}

{{ item_use('consumable') }}
