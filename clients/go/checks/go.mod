module milena/clients/checks

go 1.25
